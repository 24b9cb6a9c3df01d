// In a real browser: npm run test:browser in this package.
import { expect, test } from 'vitest';
import { arrayDigests, evaluate, parseDetections, parseGroundTruth, StreamingEvaluator } from '../src/index.ts';
import annotations from './fixtures/annotations.json' with { type: 'json' };
import detections from './fixtures/detections.json' with { type: 'json' };
import expected from './fixtures/expected.json' with { type: 'json' };

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const truth = parseGroundTruth(bytes(annotations));

test.each(['bbox', 'segm'] as const)('%s in the browser: numbers, text and arrays of pycocotools', async (iouType) => {
  const evaluation = evaluate(truth, parseDetections(bytes(detections), truth), { iouType });
  expect(evaluation.stats).toEqual(expected[iouType].stats);
  expect(evaluation.summary).toBe(expected[iouType].summary);
  expect(await arrayDigests(evaluation)).toEqual({
    precision: expected[iouType].precision_sha256,
    recall: expected[iouType].recall_sha256,
    scores: expected[iouType].scores_sha256,
  });
});

test('image by image in the browser', () => {
  const stream = new StreamingEvaluator(truth, { iouType: 'segm' });
  for (const { id } of annotations.images)
    stream.add(
      id,
      detections.filter(({ image_id }) => image_id === id),
    );
  expect(stream.finish().stats).toEqual(expected.segm.stats);
});

test('nothing of Node is there', () => {
  expect(typeof document).toBe('object');
  expect((globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node).toBeUndefined();
});
