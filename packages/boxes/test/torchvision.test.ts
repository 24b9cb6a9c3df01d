import { readFileSync } from 'node:fs';
import { expectClose } from '@rcnn/core/testing';
import { describe, expect, test } from 'vitest';
import { BoxCoder, type BoxCoderWeights, Matcher, nms, pairwiseIoU } from '../src/index.ts';

interface Answers {
  iou: { a: number[]; b: number[]; iou: number[] };
  coder: {
    weights: BoxCoderWeights;
    anchors: number[];
    gt: number[];
    deltas: number[];
    encoded: number[];
    decoded: number[];
  }[];
  nms: {
    boxes: number[];
    scores: number[];
    groups: number[];
    cases: { threshold: number; kept: number[]; grouped: number[] }[];
  };
  matcher: { gt: number[]; anchors: number[]; rpn: number[]; roi: number[] };
}

/** Made by `tools/reference/blocks.py`. */
const answers = JSON.parse(readFileSync(new URL('fixtures/torchvision.json', import.meta.url), 'utf8')) as Answers;

test('IoU, to the bit', () => {
  const { a, b, iou } = answers.iou;
  expect(pairwiseIoU(Float32Array.from(a), Float32Array.from(b))).toEqual(Float32Array.from(iou));
});

describe.each(answers.coder)('box coder with weights $weights', (answer) => {
  const coder = new BoxCoder({ weights: answer.weights });
  const anchors = Float32Array.from(answer.anchors);

  test('encodes', () => {
    expectClose(coder.encode(Float32Array.from(answer.gt), anchors), answer.encoded, {
      absolute: 2e-6,
      relative: 1e-6,
    });
  });

  test('decodes three sets of deltas per box', () => {
    const decoded = coder.decode(Float32Array.from(answer.deltas), anchors);
    expectClose(decoded, answer.decoded, { absolute: 1e-4, relative: 1e-6 });
  });
});

describe.each(answers.nms.cases)('NMS at $threshold', ({ threshold, kept, grouped }) => {
  const boxes = Float32Array.from(answers.nms.boxes);
  const scores = Float32Array.from(answers.nms.scores);

  test('keeps the same boxes in the same order', () => {
    expect([...nms(boxes, scores, threshold)]).toEqual(kept);
  });

  test('within groups too', () => {
    expect([...nms(boxes, scores, threshold, { groups: Int32Array.from(answers.nms.groups) })]).toEqual(grouped);
  });
});

test('matcher: the same gt box for every anchor, exact ties and a doubled gt box included', () => {
  const gt = Float32Array.from(answers.matcher.gt);
  const anchors = Float32Array.from(answers.matcher.anchors);
  const rpn = new Matcher({ foreground: 0.7, background: 0.3, lowQuality: true });
  expect([...rpn.matchBoxes(gt, anchors)]).toEqual(answers.matcher.rpn);
  expect([...new Matcher({ foreground: 0.5, background: 0.5 }).matchBoxes(gt, anchors)]).toEqual(answers.matcher.roi);
});
