import '@tensorflow/tfjs-backend-cpu';
import { pairwiseIoU } from '@rcnn/boxes';
import type { ImageSize } from '@rcnn/core';
import { AffinePlacement, mapMask } from '@rcnn/detector';
import { above, Fixture, relativeToMaximum } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { describe, expect, test } from 'vitest';
import { forEachInside } from '../src/crop.ts';
import {
  assembleMask,
  cropWindow,
  crossClassNms,
  decodeBoxes,
  encodeBoxes,
  fastNms,
  makePriors,
  matchPriors,
  mineNegatives,
  priorBoxes,
} from '../src/index.ts';
import { maskTarget, semanticTarget } from '../src/mask-targets.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

// The authors' code at commit 902073d4. Plain functions meet it to 1e-5 of the largest value.
const CLOSE = 1e-5;

describe('prior boxes', () => {
  const square = { im400: true, base550: true, im700: true, pascal550: false, plus550: false } as const;

  test.each(Object.entries(square))('%s', async (name, isSquare) => {
    const fixture = await read('priors');
    const sizes = fixture.integers(`${name}.feature_sizes`);
    const perLevel = fixture.shape(`${name}.scales`)[1]!;
    const scales = fixture.floats(`${name}.scales`);
    let total = 0;
    for (let level = 0; level < 5; level++) {
      const grid: ImageSize = [sizes[2 * level]!, sizes[2 * level + 1]!];
      const own = [...scales.subarray(level * perLevel, (level + 1) * perLevel)];
      const imageSize = Number(name.slice(-3));
      const priors = makePriors([grid], { scales: [own], imageSize, square: isSquare });
      total += priors.length / 4;
      const sums = [0, 1, 2, 3].map((c) => priors.reduce((sum, value, i) => sum + (i % 4 === c ? value : 0), 0));
      const at = `${name}.level${level}`;
      const last = fixture.floats(`${at}.last3`);
      const errors = {
        first: relativeToMaximum(priors.subarray(0, 48), fixture.floats(`${at}.first12`).subarray(0, priors.length)),
        last: relativeToMaximum(priors.slice(-last.length), last),
        sum: relativeToMaximum(sums, fixture.floats(`${at}.sum`)),
      };
      expect(above(errors, CLOSE)).toEqual({});
    }
    expect(total).toBe(fixture.integers(`${name}.count`)[0]);
  });

  test('all of a small image, with one scale and with three, and of maps that are not square', async () => {
    const fixture = await read('priors');
    const grids = [18, 9, 5, 3, 2].map((side): ImageSize => [side, side]);
    const scales = [6, 12, 24, 48, 96];
    const plus = scales.map((scale) => [0, 1, 2].map((third) => scale * 2 ** (third / 3)));
    const small = makePriors(grids, { scales: scales.map((scale) => [scale]), imageSize: 138 });
    const three = makePriors(grids, { scales: plus, imageSize: 138, square: false });
    expect(relativeToMaximum(small, fixture.floats('small138'))).toBeLessThan(CLOSE);
    expect(relativeToMaximum(three, fixture.floats('small138_plus'))).toBeLessThan(CLOSE);
    const rectangular = makePriors([[5, 7], [3, 4], [2, 2], [1, 1], [1, 1]], { scales: [[6], [12], [24], [48], [96]], imageSize: 138 }); // biome-ignore format: one line
    expect(relativeToMaximum(rectangular, fixture.floats('rectangular'))).toBeLessThan(CLOSE); // biome-ignore format: one line
  });
});

describe('boxes', () => {
  test('are coded and decoded', async () => {
    const fixture = await read('boxes');
    const priors = fixture.floats('priors');
    const errors = {
      encoded: relativeToMaximum(encodeBoxes(fixture.floats('gt'), priors), fixture.floats('encoded')),
      decoded: relativeToMaximum(decodeBoxes(fixture.floats('loc'), priors), fixture.floats('decoded')),
      again: relativeToMaximum(decodeBoxes(fixture.floats('encoded'), priors), fixture.floats('decoded_of_encoded')),
      iou: relativeToMaximum(pairwiseIoU(fixture.floats('iou.a'), fixture.floats('iou.b')), fixture.floats('iou')),
    };
    expect(above(errors, CLOSE)).toEqual({});
  });

  test('by hand: a delta of 1 is a tenth of the prior, or a fifth in the exponent', () => {
    const [x1, y1, x2, y2] = decodeBoxes(Float32Array.of(1, -1, 0.5, -0.5), Float32Array.of(0.5, 0.5, 0.2, 0.4));
    expect([x1, y1, x2, y2].map((value) => value!.toFixed(5))).toEqual(['0.40948', '0.27903', '0.63052', '0.64097']);
    const none = new Float32Array();
    expect([encodeBoxes(none, none).length, decodeBoxes(none, none).length]).toEqual([0, 0]);
  });

  test('cut a window out of a map, one cell wider than they are, corners in any order', async () => {
    const fixture = await read('boxes');
    const boxes = fixture.floats('odd_boxes');
    const windows = Array.from({ length: 7 }, (_, i) => cropWindow(boxes, i, [36, 36]));
    const sides = windows.flatMap(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2]);
    const expected = fixture.floats('sanitized.36x36.pad1.float');
    // A window that is empty may have any numbers: what is inside is compared below.
    expect(relativeToMaximum(sides, expected)).toBeLessThan(CLOSE);
    const ones = fixture.integers('cropped_ones.12x10') as unknown as Uint8Array;
    const [, height, width] = fixture.shape('cropped_ones.12x10') as [number, number, number];
    const cropped = new Uint8Array(ones.length);
    for (let i = 0; i < 7; i++) {
      forEachInside(cropWindow(boxes, i, [height, width]), width, (cell) => (cropped[i * height * width + cell] = 1));
    }
    expect(differences(cropped, ones)).toBe(0);
  });
});

function differences(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let count = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

describe('matching', () => {
  test.each(['plain.0', 'plain.1', 'crowd.0', 'crowd.1'])('%s', async (name) => {
    const fixture = await read('match');
    const priors = (await read('priors')).floats('small138');
    const labels = fixture.integers(`${name}.labels`).map((label) => label + 1);
    const truth = { boxes: fixture.floats(`${name}.boxes`), labels, crowdBoxes: fixture.floats(`${name}.crowd_boxes`) };
    const found = matchPriors(priorBoxes(priors), truth);
    expect(differences(found.labels, fixture.integers(`${name}.conf_target`))).toBe(0);
    const positives = [...found.labels.keys()].filter((prior) => found.labels[prior]! > 0);
    const objects = fixture.integers(`${name}.gt_index`);
    expect(positives).toEqual([...fixture.integers(`${name}.positives`)]);
    expect(positives.map((prior) => found.objects[prior])).toEqual(positives.map((prior) => objects[prior]));
    const take = (values: Float32Array, rows: readonly number[]): Float32Array =>
      Float32Array.from(rows.flatMap((row) => [...values.subarray(4 * row, 4 * row + 4)]));
    const deltas = encodeBoxes(take(truth.boxes, positives.map((prior) => found.objects[prior]!)), take(priors, positives)); // biome-ignore format: one line
    expect(relativeToMaximum(deltas, fixture.floats(`${name}.loc_targets_of_positives`))).toBeLessThan(CLOSE);
  });

  const boxes = Float32Array.of(0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1);
  const none = new Float32Array();

  test('without objects everything is background, but what lies in a crowd', () => {
    const truth = { boxes: none, labels: new Int32Array(), crowdBoxes: none };
    expect([...matchPriors(boxes, truth).labels]).toEqual([0, 0]);
    const crowdBoxes = Float32Array.of(0, 0, 0.45, 0.5); // nine tenths of the first
    expect([...matchPriors(boxes, { ...truth, crowdBoxes }).labels]).toEqual([-1, 0]);
  });

  test('an object that no prior touches has one all the same, two of one place have one each, and more than priors none', () => {
    const far = Float32Array.of(0.51, 0.2, 0.52, 0.21);
    expect([...matchPriors(boxes, { boxes: far, labels: Int32Array.of(4), crowdBoxes: none }).labels]).toContain(4);
    const twins = Float32Array.of(0, 0, 0.5, 0.5, 0, 0, 0.5, 0.5, 0, 0, 0.4, 0.4);
    const found = matchPriors(boxes, { boxes: twins, labels: Int32Array.of(1, 2, 3), crowdBoxes: none });
    expect([...found.labels]).toEqual([1, 2]);
  });
});

describe('Fast NMS', () => {
  const options = { iouThreshold: 0.5, limit: 100 };

  test.each([
    ['top200', 200],
    ['top50', 50],
  ] as const)('%s', async (name, topK) => {
    // biome-ignore format: pairs
    const fixture = await read('fast_nms');
    const [boxes, scores] = [fixture.floats('boxes'), fixture.floats('scores')];
    for (const [more, scoreThreshold] of [
      ['', undefined],
      ['.second_threshold', 0.05],
    ] as const) {
      // biome-ignore format: pairs
      const found = fastNms(boxes, scores, { ...options, topK, scoreThreshold });
      const at = `fast.${name}${more}`;
      expect([...found.rows]).toEqual([...fixture.integers(`${at}.box_index`)]);
      expect([...found.classes]).toEqual([...fixture.integers(`${at}.classes`)]);
      expect(relativeToMaximum(found.scores, fixture.floats(`${at}.scores`))).toBeLessThan(CLOSE);
    }
  });

  test('classes that compete', async () => {
    const fixture = await read('fast_nms');
    const found = crossClassNms(fixture.floats('boxes'), fixture.floats('scores'), { topK: 200 });
    expect([...found.rows]).toEqual([...fixture.integers('cross_class.box_index')]);
    expect([...found.classes]).toEqual([...fixture.integers('cross_class.classes')]);
    expect(relativeToMaximum(found.scores, fixture.floats('cross_class.scores'))).toBeLessThan(CLOSE);
  });

  test('by hand: what is gone still covers others; at the threshold a box stays', () => {
    const boxes = Float32Array.of(0, 0, 1, 1, 0, 0.3, 1, 1.3, 0, 0.6, 1, 1.6);
    expect([...fastNms(boxes, Float32Array.of(0.9, 0.8, 0.7)).rows]).toEqual([0]);
    const half = Float32Array.of(0, 0, 1, 1, 0, 0, 1, 0.5);
    expect([...fastNms(half, Float32Array.of(0.9, 0.8)).rows]).toEqual([0, 1]);
    expect(fastNms(new Float32Array(), new Float32Array()).rows.length).toBe(0);
    expect(crossClassNms(new Float32Array(), new Float32Array()).rows.length).toBe(0);
  });
});

describe('masks', () => {
  test('are mixed, cut, and laid over images', async () => {
    const fixture = await read('masks');
    const [height, width, count] = fixture.shape('proto') as [number, number, number];
    const prototypes = { values: fixture.floats('proto'), size: [height, width] as const };
    const boxes = fixture.floats('boxes');
    const all = { x1: 0, y1: 0, x2: width, y2: height };
    for (let i = 0; i < 7; i++) {
      const own = fixture.floats('coefficients').subarray(i * count, (i + 1) * count);
      const part = (name: string): Float32Array =>
        fixture.floats(name).subarray(i * height * width, (i + 1) * height * width);
      const window = cropWindow(boxes, i, [height, width]);
      const errors = {
        assembled: relativeToMaximum(assembleMask(prototypes, own, all), part('assembled'), 1),
        cropped: relativeToMaximum(assembleMask(prototypes, own, window), part('cropped'), 1),
      };
      expect(above(errors, CLOSE)).toEqual({});
      for (const image of ['image0', 'image1']) {
        const { size, bitmaps } = fixture.bitmaps(`${image}.masks`);
        const placement = new AffinePlacement({ originalSize: size, resizedSize: [550, 550] });
        const mask = mapMask(() => assembleMask(prototypes, own, window), [height, width], [550, 550]);
        const bitmap = mask.toImage(placement, [0, 0, 1, 1]).bitmap();
        expect(differences(bitmap, bitmaps[i]!), `${image}, object ${i}`).toBeLessThanOrEqual(5);
      }
    }
  });
});

describe('targets', () => {
  test.each(['losses', 'losses_crowd_limited'])('%s: masks, classes of cells, mined negatives', async (name) => {
    const fixture = await read(name);
    for (const image of [0, 1]) {
      const { size, bitmaps } = fixture.bitmaps(`targets.${image}.masks`);
      const crowds = fixture.integers('num_crowds')[image]!;
      const masks = bitmaps.slice(0, bitmaps.length - crowds).map((bitmap) => Mask.fromBitmap(bitmap, size));
      const labels = fixture
        .integers(`targets.${image}.labels`)
        .slice(0, masks.length)
        .map((label) => label + 1);
      const expected = fixture.bitmaps(`mask_targets.${image}`);
      for (const [k, mask] of masks.entries()) {
        expect(differences(maskTarget(mask, expected.size), expected.bitmaps[k]!), `mask ${k}`).toBe(0);
      }
      const semantic = fixture.bitmaps(`semantic_targets.${image}`);
      const classes = semantic.bitmaps.length;
      const target = semanticTarget(masks, labels, semantic.size, classes + 1);
      const byCell = Float32Array.from(target, (_, i) => semantic.bitmaps[i % classes]![Math.floor(i / classes)]!);
      expect(differences(target, byCell)).toBe(0);

      const priors = 1329;
      const own = <T extends Float32Array | Int32Array | Uint8Array>(values: T): T =>
        values.subarray(image * priors, (image + 1) * priors) as T;
      const negatives = mineNegatives(own(fixture.floats('ohem.mining_loss')), own(fixture.integers('match.labels')));
      const chosen = own(fixture.integers('ohem.negatives') as unknown as Uint8Array);
      expect([...negatives]).toEqual([...chosen.keys()].filter((prior) => chosen[prior] === 1));
    }
  });

  test('without positives there are no negatives; with many, no more than there are', () => {
    const surprises = Float32Array.of(3, 2, 1, 5);
    expect([...mineNegatives(surprises, Int32Array.of(0, 0, 0, 0))]).toEqual([]);
    expect([...mineNegatives(surprises, Int32Array.of(0, 0, -1, 2))]).toEqual([0, 1]);
    expect([...mineNegatives(surprises, Int32Array.of(1, 1, 0, 2))]).toEqual([2]);
  });
});
