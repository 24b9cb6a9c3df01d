import { Random } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { fixtureImage, useFastEngine } from '@rcnn/fixtures';
import { expectSameBits } from '@rcnn/shared/same-bits';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tiles } from '../src/explain-pictures.ts';
import { type ExplainedStep, explain, GeneralizedRCNN, type MaskRCNN, maskRcnnSmall } from '../src/index.ts';

let model: MaskRCNN;
const options = { scoreThreshold: 0.1, shownProposals: 5 };

beforeAll(async () => {
  await useFastEngine();
  model = maskRcnnSmall({ numClasses: 3, random: new Random(1), boxScoreThresh: 0.01, minSize: 64, maxSize: 96 });
});

afterAll(() => model.dispose());

const named = (steps: readonly ExplainedStep[], name: string): ExplainedStep =>
  steps.find((step) => step.name === name)!;

test('every step has its shape and its picture, and the last is what the model finds', async () => {
  const image = await fixtureImage('a');
  const steps = await explain(model, image, options);
  const levels = ['P2', 'P3', 'P4', 'P5', 'P6'];
  const second = ['detections', 'RoIAlign', 'regions', 'masks', 'result'];
  expect(steps.map(({ name }) => name)).toEqual([
    'image',
    'batch',
    ...levels,
    'anchors',
    'objectness',
    'proposals',
    ...second,
  ]);
  for (const { name, image: picture, about } of steps) {
    expect([name, picture.data.length]).toEqual([name, picture.height * picture.width * 3]);
    expect(about.length).toBeGreaterThan(20);
  }

  const [, height, width] = named(steps, 'batch').shape as [number, number, number];
  const strides = [4, 8, 16, 32, 64];
  const cells = strides.map((stride) => Math.ceil(height / stride) * Math.ceil(width / stride));
  levels.forEach((level, i) => {
    expect(named(steps, level).shape).toEqual([1, Math.ceil(height / strides[i]!), Math.ceil(width / strides[i]!), 64]);
  });
  const anchors = 3 * cells.reduce((sum, count) => sum + count, 0);
  expect(named(steps, 'anchors').shape).toEqual([anchors, 4]);
  expect(named(steps, 'anchors').objects.length).toBe(3 * levels.length);
  expect(named(steps, 'objectness').shape).toEqual([anchors]);
  expect(named(steps, 'proposals').objects.length).toBe(5);
  expect(named(steps, 'RoIAlign').objects.length).toBe(14 * 14);

  const [detections] = await model.detect([image]);
  const expected = detections!.filter(({ score }) => score >= options.scoreThreshold);
  const { objects, shape } = named(steps, 'result');
  expect(expected.length).toBeGreaterThan(0);
  expect(shape).toEqual([expected.length]);
  expect(named(steps, 'regions').shape).toEqual([Math.min(9, expected.length), 14, 14, 64]);
  expect(named(steps, 'masks').shape).toEqual([expected.length, 28, 28]);
  for (const [i, { box, score, label, mask }] of expected.entries()) {
    expect([objects[i]!.score, objects[i]!.label, ...objects[i]!.box]).toEqual([score, label, ...box]);
    expectSameBits(objects[i]!.mask!.bitmap(), mask!.bitmap());
  }
});

test('nothing found, and parts of somebody else: what there is of it is shown, and no tensor is left', async () => {
  const { transform, backbone, rpn, roiHeads } = model;
  const other = new GeneralizedRCNN({ transform, backbone, rpn: plainly(rpn), roiHeads });
  const image = await fixtureImage('b');
  let steps: ExplainedStep[] = [];
  await expectNoLeak(async () => void (steps = await explain(other, image, { scoreThreshold: 1.1 })), 1);
  const names = steps.map(({ name }) => name);
  expect(names).toEqual([
    'image',
    'batch',
    'P2',
    'P3',
    'P4',
    'P5',
    'P6',
    'objectness',
    'proposals',
    'detections',
    'result',
  ]);
  expect(named(steps, 'result').objects).toEqual([]);
});

/** A proposal network that is no class of ours. */
function plainly(rpn: MaskRCNN['rpn']): MaskRCNN['rpn'] {
  return {
    forward: rpn.forward.bind(rpn),
    propose: rpn.propose.bind(rpn),
    losses: rpn.losses.bind(rpn),
    namedParameters: rpn.namedParameters.bind(rpn),
    dispose: () => {},
  };
}

test('a detector of another kind is refused', async () => {
  const image = await fixtureImage('a');
  const other = { spec: model.spec, detect: model.detect, losses: model.losses } as unknown as MaskRCNN;
  await expect(explain(other, image)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', place: 'model' });
});

test('tiles: side by side in rows, the same colors for the same values', () => {
  const map = (value: number) => ({ values: new Float32Array(4).fill(value), size: [2, 2] as const });
  const { data, height, width } = tiles([map(0), map(1), map(0.5)], [0, 1]);
  const zoom = 60; // 240 pixels for two tiles of two cells
  expect([height, width]).toEqual([2 * 2 * zoom + 4, 2 * 2 * zoom + 4]);
  const at = (row: number, column: number) => Array.from(data.subarray((row * width + column) * 3).subarray(0, 3));
  expect(at(5, 5)).toEqual([0, 0, 4]);
  expect(at(5, width - 5)).toEqual([252, 255, 164]);
  expect(at(height - 5, 5)).toEqual([188, 55, 84]);
  expect(at(height - 5, width - 5)).toEqual([255, 255, 255]); // no fourth
});
