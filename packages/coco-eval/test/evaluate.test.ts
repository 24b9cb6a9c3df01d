import { expectClose } from '@rcnn/core/testing';
import { runsFromBox, runsToString } from '@rcnn/masks';
import { describe, expect, test } from 'vitest';
import { type CocoAnnotation, type CocoDataset, type CocoResult, evaluate } from '../src/index.ts';
import { digests, readJson } from './helpers.ts';

interface Expected {
  stats: number[];
  summary: string;
  precision_sha256: string;
  recall_sha256: string;
  scores_sha256: string;
  shape: number[];
}

describe('the drawn dataset, as pycocotools evaluates it', () => {
  const truth = readJson('annotations.json') as CocoDataset;
  const results = readJson('detections.json') as CocoResult[];
  const expected = readJson('expected.json') as Record<'bbox' | 'segm', Expected>;

  test.each(['bbox', 'segm'] as const)('%s: numbers, text and arrays to the last bit', (iouType) => {
    const { stats, summary, shape, ...arrays } = expected[iouType];
    const evaluation = evaluate(truth, results, { iouType });
    expect(evaluation.stats).toEqual(stats);
    expect(evaluation.summary).toBe(summary);
    expect(evaluation.shape).toEqual(shape);
    expect(digests(evaluation)).toEqual(arrays);
  });
});

type Box = [number, number, number, number];

function dataset(annotations: readonly Partial<CocoAnnotation>[]): CocoDataset {
  return {
    images: [{ id: 1, height: 100, width: 100 }],
    categories: [{ id: 1, name: 'thing' }],
    annotations: annotations.map((a, i) => ({ id: i + 1, image_id: 1, category_id: 1, iscrowd: 0, ...a })),
  };
}

function truthBox(bbox: Box, rest: Partial<CocoAnnotation> = {}): Partial<CocoAnnotation> {
  return { bbox, area: bbox[2] * bbox[3], ...rest };
}

function found(bbox: Box, score: number): CocoResult {
  return { image_id: 1, category_id: 1, bbox, score };
}

function mask(box: Box): { size: number[]; counts: string } {
  return { size: [100, 100], counts: runsToString(runsFromBox(box, [100, 100])) };
}

describe('small cases worked out by pycocotools', () => {
  const a = [truthBox([10, 10, 40, 40]), truthBox([60, 60, 20, 20])];
  const aFound = [found([10, 10, 40, 40], 0.9), found([0, 0, 5, 5], 0.85), found([62, 62, 20, 20], 0.8)];

  const check = (
    truth: CocoDataset,
    results: CocoResult[],
    expected: number[],
    iouType: 'bbox' | 'segm' | 'keypoints' = 'bbox',
  ) => expectClose(evaluate(truth, results, { iouType }).stats, expected, { absolute: 5e-4, relative: 0 });

  test('two objects, one found exactly, one nearly, one false', () =>
    check(dataset(a), aFound, [0.637, 0.835, 0.505, 0.2, 1, -1, 0.5, 0.7, 0.7, 0.4, 1, -1]));

  test('annotation id 0 looks unmatched, and a warning says so', () => {
    const truth = dataset(a.map((annotation, id) => ({ ...annotation, id })));
    check(truth, aFound, [0.0673, 0.1683, 0, 0.2, 0, -1, 0, 0.2, 0.2, 0.4, 0, -1]);
    expect(evaluate(truth, aFound).warnings.join()).toMatch(/id 0/);
  });

  test('a crowd swallows what lies in it', () =>
    check(
      dataset([{ ...a[0], iscrowd: 1 }, a[1]!]),
      [found([10, 10, 40, 40], 0.9), found([12, 12, 10, 10], 0.7), found([62, 62, 20, 20], 0.8)],
      [0.4, 1, 0, 0.4, -1, -1, 0, 0.4, 0.4, 0.4, -1, -1],
    ));

  test('two equal objects and one detection', () =>
    check(
      dataset([truthBox([10, 10, 20, 20]), truthBox([10, 10, 20, 20])]),
      [found([10, 10, 20, 20], 0.9)],
      [0.505, 0.505, 0.505, 0.505, -1, -1, 0.5, 0.5, 0.5, 0.5, -1, -1],
    ));

  const squares = dataset([
    truthBox([10, 10, 40, 40], { segmentation: mask([10, 10, 40, 40]) }),
    truthBox([60, 60, 20, 20], { segmentation: mask([60, 60, 20, 20]) }),
  ]);
  const squaresFound = [
    { image_id: 1, category_id: 1, score: 0.9, segmentation: mask([12, 10, 38, 40]) },
    { image_id: 1, category_id: 1, score: 0.8, segmentation: mask([60, 60, 20, 12]) },
  ];
  const squaresExpected = [0.6535, 1, 0.505, 0.3, 1, -1, 0.5, 0.65, 0.65, 0.3, 1, -1];

  test('masks', () => check(squares, squaresFound, squaresExpected, 'segm'));

  test('masks beside boxes: the area is the mask’s', () => {
    const both = squaresFound.map((result) => ({ ...result, bbox: [0, 0, 100, 100] }));
    check(squares, both, squaresExpected, 'segm');
  });

  test('boxes only, evaluated as masks, are filled', () =>
    check(squares, [found([12, 10, 38, 40], 0.9), found([60, 60, 20, 12], 0.8)], squaresExpected, 'segm'));

  test('masks only, evaluated as boxes, give their boxes', () => check(squares, squaresFound, squaresExpected, 'bbox'));

  test('keypoints', () => {
    const points = (dx: number, dy: number): number[] =>
      Array.from({ length: 17 }, (_, i) => [10 + 3 * i + dx, 20 + 2 * i + dy, 2]).flat();
    const truth = dataset([{ area: 2500, bbox: [10, 20, 48, 32], keypoints: points(0, 0), num_keypoints: 17 }]);
    const results = [{ image_id: 1, category_id: 1, score: 0.9, keypoints: points(3, 4) }];
    check(truth, results, [0.3, 1, 0, 0.3, -1, 0.3, 1, 0, 0.3, -1], 'keypoints');
  });
});

describe('bad detections are refused with their index', () => {
  const truth = dataset([truthBox([10, 10, 20, 20], { segmentation: mask([10, 10, 20, 20]) })]);
  const good = found([10, 10, 20, 20], 0.5);

  test.each<[string, object, string, string, 'bbox' | 'segm']>([
    ['unknown image', { ...good, image_id: 7 }, 'DETECTION_INVALID', '/1/image_id', 'bbox'],
    ['image id as other text', { ...good, image_id: 'one' }, 'DETECTION_INVALID', '/1/image_id', 'bbox'],
    ['digits that were lost', { ...good, image_id: 2 ** 53 }, 'DETECTION_INVALID', '/1/image_id', 'bbox'],
    ['unknown category', { ...good, category_id: 7 }, 'DETECTION_INVALID', '/1/category_id', 'bbox'],
    ['NaN score', { ...good, score: Number.NaN }, 'DETECTION_INVALID', '/1/score', 'bbox'],
    ['no score', { ...good, score: undefined }, 'DETECTION_INVALID', '/1/score', 'bbox'],
    ['a box of three', { ...good, bbox: [1, 2, 3] }, 'DETECTION_INVALID', '/1/bbox', 'bbox'],
    ['an infinite box', { ...good, bbox: [1, 2, Infinity, 3] }, 'DETECTION_INVALID', '/1/bbox/2', 'bbox'],
    ['nothing but a score', { ...good, bbox: undefined }, 'DETECTION_INVALID', '/1/bbox', 'bbox'],
    [
      'malformed RLE',
      { ...good, segmentation: { size: [100, 100], counts: '5 5' } },
      'DETECTION_INVALID',
      '/1/segmentation',
      'segm',
    ],
    [
      'RLE that ends early',
      { ...good, segmentation: { size: [100, 100], counts: '55' } },
      'DETECTION_INVALID',
      '/1/segmentation',
      'segm',
    ],
    [
      'a mask of another size',
      { ...good, segmentation: { size: [50, 50], counts: [2500] } },
      'DETECTION_INVALID',
      '/1/segmentation/size',
      'segm',
    ],
    [
      'an impossible size',
      { ...good, segmentation: { size: [1e9, 1e9], counts: [1] } },
      'DETECTION_INVALID',
      '/1/segmentation',
      'segm',
    ],
  ])('%s', (_, bad, code, place, iouType) => {
    expect(() => evaluate(truth, [good, bad as CocoResult, good], { iouType })).toThrow(
      expect.objectContaining({ code, place }),
    );
  });

  test('two annotations with one id', () => {
    const twice = dataset([truthBox([1, 1, 5, 5], { id: 4 }), truthBox([1, 1, 5, 5], { id: 4 })]);
    expect(() => evaluate(twice, [])).toThrow(expect.objectContaining({ code: 'DUPLICATE_ID' }));
  });
});

describe('nothing is a normal input', () => {
  test('no detections: recall 0, precision 0', () => {
    const { stats } = evaluate(dataset([truthBox([10, 10, 40, 40])]), []);
    expect(stats).toEqual([0, 0, 0, -1, 0, -1, 0, 0, 0, -1, 0, -1]);
  });

  test('no annotations: everything undefined', () => {
    const { stats } = evaluate(dataset([]), [found([1, 1, 2, 2], 0.5)]);
    expect(stats).toEqual(Array.from({ length: 12 }, () => -1));
  });

  test('no images at all', () => {
    const { stats, shape } = evaluate({ images: [], categories: [], annotations: [] }, []);
    expect([shape[2], stats[0]]).toEqual([0, -1]);
  });
});
