import { expect, test } from 'vitest';
import { evaluate, parseDetections, parseGroundTruth } from '../src/index.ts';

const [WIDTH, HEIGHT] = [64, 48];
const boxes = Array.from({ length: 12 }, (_, i) => [4 + 3 * i, 3 + 2 * i, 12, 10] as const);
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const truth = parseGroundTruth(
  json({
    images: [{ id: 1, width: WIDTH, height: HEIGHT }],
    categories: [{ id: 1, name: 'red' }],
    annotations: boxes.map((bbox, i) => ({ id: i + 1, image_id: 1, category_id: 1, bbox, area: 120, iscrowd: 0 })),
  }),
  'gt.json',
);

const warningsOf = (written: readonly (readonly number[])[]): readonly string[] => {
  const results = written.map((bbox, i) => ({ image_id: 1, category_id: 1, bbox, score: 1 / (i + 1) }));
  const detections = parseDetections(json(results), truth, { where: 'dt.json' });
  return evaluate(truth, detections, { iouType: 'bbox' }).warnings;
};

test.each<[string, readonly (readonly number[])[], readonly unknown[]]>([
  ['x, y, width, height', boxes, []],
  [
    'corners',
    boxes.map(([x, y, width, height]) => [x, y, x + width, y + height]),
    [expect.stringMatching(/dt\.json: boxes look like corners.*: 4 of 12 reach beyond/)],
  ],
  [
    'fractions of the image',
    boxes.map(([x, y, width, height]) => [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT]),
    [expect.stringMatching(/dt\.json: all 12 boxes lie between 0 and 1/)],
  ],
  ['few that reach beyond', boxes.map(([x, y], i) => [x, y, i === 0 ? 90 : 12, 10]), []],
  ['one that is a fraction', [[0.1, 0.1, 0.5, 0.5]], []],
])('boxes of results, written as %s', (_, written, expected) => {
  expect(warningsOf(written)).toEqual(expected);
});
