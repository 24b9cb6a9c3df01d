import '@tensorflow/tfjs-backend-cpu';
import { loadStateDict } from '@rcnn/checkpoint';
import { type EngineName, Parameter, useEngine, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import { AffinePlacement, batchMask } from '@rcnn/detector';
import { above, type Fixture, relativeError, relativeToMaximum, sampleChannelsFirst } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  assignToGrids,
  categoryLoss,
  centerOfMass,
  type GridTruth,
  type HeadOutputs,
  type LocationHead,
  maskLoss,
  pointsNms,
  selectObjects,
  shrinkMask,
} from '../src/index.ts';
import {
  featuresOf,
  headOf,
  type Kind,
  nameInHead,
  readFixture,
  SELECT,
  SMALL_LEVELS,
  targetsOf,
} from './support/fixtures.ts';

const BATCH = [128, 192] as const;
const NEEDS = {
  meta: { whySkipped: 'needs RCNN_ENGINE=cpu: gradients of convolutions take minutes in plain JavaScript' },
};

// By the authors' heads (WXinlong/SOLO at f4cd03b9) on given maps of 16 channels; the files' tolerances: logits and losses
// 1e-4 of the largest, scores 1e-4, masks 5 pixels, gradients 1e-2.
describe.each(['onnxruntime', 'cpu'] as const satisfies EngineName[])('on %s', (engine) => {
  beforeAll(() => useEngine(engine));

  const gradientsToo = engine === 'onnxruntime' || process.env['RCNN_ENGINE'] === engine;

  describe.each(['solo', 'decoupled', 'solov2'] as const satisfies Kind[])('the head of %s', (kind) => {
    let fixture: Fixture;
    let head: LocationHead;
    let features: tf.Tensor4D[];
    let outputs: HeadOutputs;
    let truth: GridTruth[];

    beforeAll(async () => {
      fixture = await readFixture(`${kind}_head`);
      head = headOf(kind, 16);
      await loadStateDict(head, fixture.weights(nameInHead));
      features = featuresOf(fixture);
      outputs = head.forward(features);
      const rules = { levels: SMALL_LEVELS, sharedCells: head.sharedCells };
      truth = targetsOf(fixture).map((target) => assignToGrids(target, BATCH, rules));
    });

    afterAll(() => {
      outputs.dispose();
      tf.dispose(features);
      head.dispose();
    });

    test('categories of every cell', () => {
      const errors: Record<string, number> = {};
      for (const [level, logits] of outputs.categories.entries()) {
        const ours = sampleChannelsFirst(logits.dataSync(), logits.shape);
        errors[`level ${level}`] = relativeToMaximum(ours, fixture.floats(`category_logits.level${level}`));
      }
      expect(above(errors, 1e-4)).toEqual({});
    });

    const masksOfCells = (): void => {
      const errors: Record<string, number> = {};
      for (const [level, { grid }] of SMALL_LEVELS.entries()) {
        for (const image of [0, 1]) {
          const { cells, expected, step } = sampledMasks(fixture, kind, { level, grid, image });
          const size = outputs.maskSizes[level]!;
          const ours = tf.tidy(() => outputs.masks(image, level, cells).dataSync());
          const some = ours.filter(
            (_, i) => (i % size[1]) % step === 0 && (Math.floor(i / size[1]) % size[0]) % step === 0,
          );
          errors[`level ${level} of ${image}`] = relativeToMaximum(some, expected);
        }
      }
      expect(above(errors, 1e-4)).toEqual({});
    };
    // Those of SOLOv2 are compared where they become objects.
    test.each(kind === 'solov2' ? [] : [kind])('masks of cells of %s', masksOfCells);

    test('which cells learn which object', () => {
      for (const [image, { levels, masks }] of truth.entries()) {
        const centers = masks.flatMap((mask) => centerOfMass(mask)?.toReversed() ?? [0, 0]); // x before y
        const at = `assign.${image}`;
        expectClose(centers, fixture.floats(`${at}.centres_of_mass`), { absolute: 1e-3 });
        for (const [level, { labels, cells, objects }] of levels.entries()) {
          const place = `${at}.level${level}`;
          expect([place, ...labels]).toEqual([place, ...fixture.integers(`${place}.category`)]);
          expect([place, ...cells]).toEqual([place, ...expectedCells(fixture, place, SMALL_LEVELS[level]!.grid)]);
          const shrunk = Array.from(objects, (object) => shrinkMask(masks[object]!, outputs.maskSizes[level]!, BATCH));
          const areas = shrunk.map((mask) => mask.reduce((sum, bit) => sum + bit, 0));
          const known = fixture.has(`${place}.mask_targets.areas`);
          expect([place, ...areas]).toEqual([place, ...(known ? fixture.integers(`${place}.mask_targets.areas`) : [])]);
          if (!fixture.has(`${place}.mask_targets.first2.bits`)) continue;
          for (const [k, bitmap] of fixture.bitmaps(`${place}.mask_targets.first2`).bitmaps.entries()) {
            expect([place, k, differing(shrunk[k]!, bitmap)]).toEqual([place, k, 0]);
          }
        }
      }
    });

    test('losses', () => {
      const losses = tf.tidy(() =>
        [maskLoss(outputs, truth, BATCH), categoryLoss(outputs, truth)].map((loss) => loss.dataSync()[0]!),
      );
      const errors = {
        mask: relativeError(losses[0]!, fixture.floats('loss.loss_ins')[0]!),
        category: relativeError(losses[1]!, fixture.floats('loss.loss_cate')[0]!),
      };
      expect(above(errors, 1e-4)).toEqual({});
    });

    test.runIf(gradientsToo)('losses, and their gradients for every parameter and every map', NEEDS, async () => {
      const parameters = head.namedParameters();
      const variables = new Map([...parameters, ...asParameters(features)]);
      const { loss, gradients, extra } = await valueAndGradients(() => {
        const maps = features.map((_, l) => variables.get(`p${l + 2}`)!.value as tf.Tensor4D);
        const found = head.forward(maps, 'train');
        const parts = { mask: maskLoss(found, truth, BATCH), category: categoryLoss(found, truth) };
        return { loss: tf.add(parts.mask, parts.category), extra: parts };
      }, variables);
      const errors = {
        mask: relativeError(extra.mask.dataSync()[0]!, fixture.floats('loss.loss_ins')[0]!),
        category: relativeError(extra.category.dataSync()[0]!, fixture.floats('loss.loss_cate')[0]!),
      };
      expect(above(errors, 1e-4)).toEqual({});
      expect(above(gradientErrors(fixture, parameters, gradients), 1e-2)).toEqual({});
      expect(above(mapErrors(fixture, features, gradients), 1e-2)).toEqual({});
      for (let l = 2; l <= 6; l++) variables.get(`p${l}`)!.dispose();
      tf.dispose([loss, ...gradients.values(), extra.mask, extra.category]);
    });

    test('objects before and after the NMS, and in the pictures', async () => {
      const categories = outputs.categories.map((logits) =>
        tf.tidy(() => tf.sigmoid(logits).dataSync() as Float32Array),
      );
      for (const image of [0, 1]) {
        const own = categories.map((all) => all.subarray((image * all.length) / 2, ((image + 1) * all.length) / 2));
        for (const [level, scores] of own.entries()) {
          const name = `scores_after_point_nms.level${level}`;
          const expected = fixture.floats(name).subarray(image * scores.length, (image + 1) * scores.length);
          expectClose(pointsNms(scores, SMALL_LEVELS[level]!.grid), expected, { absolute: 1e-4, relative: 0 });
        }
        const select = (options: object) => selectObjects(outputs, image, own, SMALL_LEVELS, { ...SELECT, ...options });
        // A Gaussian of no width lowers nothing: what the NMS is given.
        const before = await select({ sigma: 0, scoreThreshold: 0, detectionsPerImage: 80 });
        const nms = `nms.${image}`;
        expect([...before.labels]).toEqual([...fixture.integers(`${nms}.labels`)].map((label) => label + 1));
        expectClose(before.scores, fixture.floats(`${nms}.scores`), { absolute: 1e-4, relative: 0 });
        before.masks.forEach((mask, k) => near(`area ${k}`, cellsOf(mask), fixture.integers(`${nms}.areas`)[k]!));
        fixture.bitmaps(`${nms}.masks.first3`).bitmaps.forEach((bitmap, k) => {
          near(`mask ${k}`, differing(bits(before.masks[k]!), bitmap), 0);
        });
        const after = await select({ scoreThreshold: 0, detectionsPerImage: 80 });
        const sorted = fixture.floats(`${nms}.scores_after`).toSorted().reverse();
        expectClose(after.scores, sorted, { absolute: 1e-4, relative: 0 });

        const { scores, labels, masks } = await select({});
        const placement = new AffinePlacement({
          originalSize: ([[200, 300], [120, 150]] as const)[image]!, // biome-ignore format: one line
          resizedSize: ([[128, 192], [120, 150]] as const)[image]!, // biome-ignore format: one line
        });
        const size = outputs.maskSizes[0]!;
        const found = placement.toImage({ scores, labels, masks: masks.map((mask) => batchMask(mask, size, BATCH)) });
        const name = `detections.${image}`;
        expect(found.map(({ label }) => label - 1)).toEqual([...fixture.integers(`${name}.labels`)]);
        expectClose(found.map(({ score }) => score), fixture.floats(`${name}.scores`), { absolute: 1e-4, relative: 0 }); // biome-ignore format: one line
        for (const [k, { mask }] of found.entries()) {
          near(`area ${k}`, sumOf(mask!.bitmap()), fixture.integers(`${name}.areas`)[k]!);
        }
        fixture.bitmaps(`${name}.masks.first2`).bitmaps.forEach((bitmap, k) => {
          near(`mask ${k}`, differing(found[k]!.mask!.bitmap(), bitmap), 0);
        });
        await expectNoLeak(() => select({}), 2);
      }
    });
  });

  describe.runIf(gradientsToo)('images without objects', NEEDS, () => {
    test.each(['decoupled', 'solov2'] as const)('the losses of %s', async (kind) => {
      const fixture = await readFixture(`${kind}_empty`);
      const head = headOf(kind, 16);
      await loadStateDict(head, fixture.weights(nameInHead));
      const features = featuresOf(fixture);
      const [empty, full] = targetsOf(fixture) as [ReturnType<Fixture['target']>, ReturnType<Fixture['target']>];
      for (const [name, targets] of [
        ['one_empty', [empty, full]],
        ['both_empty', [empty, empty]],
      ] as const) {
        // biome-ignore format: one line
        const rules = { levels: SMALL_LEVELS, sharedCells: head.sharedCells };
        const truth = targets.map((target) => assignToGrids(target, BATCH, rules));
        const variables = new Map([...head.namedParameters(), ...asParameters(features)]);
        const { loss, gradients, extra } = await valueAndGradients(() => {
          const maps = features.map((_, l) => variables.get(`p${l + 2}`)!.value as tf.Tensor4D);
          const found = head.forward(maps, 'train');
          const parts = { mask: maskLoss(found, truth, BATCH), category: categoryLoss(found, truth) };
          return { loss: tf.add(parts.mask, parts.category), extra: parts };
        }, variables);
        expect(gradients.size).toBe(variables.size); // of 0, where nothing is learnt
        const errors: Record<string, number> = {
          mask: relativeError(extra.mask.dataSync()[0]!, fixture.floats(`${name}.loss_ins`)[0]!),
          category: relativeError(extra.category.dataSync()[0]!, fixture.floats(`${name}.loss_cate`)[0]!),
        };
        expect(above(errors, 1e-4)).toEqual({});
        for (let l = 2; l <= 6; l++) {
          const [norm] = fixture.floats(`${name}.grad_features.p${l}.stats`) as unknown as [number];
          errors[`p${l}`] = relativeError(normOf(gradients.get(`p${l}`)!), norm);
          variables.get(`p${l}`)!.dispose();
        }
        expect(above(errors, 1e-2)).toEqual({});
        tf.dispose([loss, ...gradients.values(), extra.mask, extra.category]);
      }
      tf.dispose(features);
      head.dispose();
    });
  });
});

/** The stored channels of a level, as probabilities of the cells that they belong to. */
function sampledMasks(
  fixture: Fixture,
  kind: Kind,
  { level, grid, image }: { level: number; grid: number; image: number },
) {
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const of = (name: string, total: number, skip: number) => {
    const [, count, height, width] = fixture.shape(name) as [number, number, number, number];
    const all = fixture.floats(name);
    const plane = height * width;
    const skipped = count === total ? 1 : skip;
    const channel = (k: number): Float32Array =>
      all.subarray((image * count + k) * plane, (image * count + k + 1) * plane).map(sigmoid);
    return { channels: Array.from({ length: count }, (_, k) => ({ index: k * skipped, values: channel(k) })), height };
  };
  const full = [32, 32, 16, 8, 8][level]!;
  if (kind === 'solo') {
    const { channels, height } = of(`mask_logits.level${level}`, grid * grid, 16);
    const expected = channels.flatMap(({ values }) => [...values]);
    return { cells: Int32Array.from(channels, ({ index }) => index), expected, step: full / height };
  }
  const x = of(`mask_logits_x.level${level}`, grid, 4);
  const y = of(`mask_logits_y.level${level}`, grid, 4);
  const pairs = x.channels.flatMap((column) => y.channels.map((row) => ({ column, row })));
  const cells = Int32Array.from(pairs, ({ column, row }) => row.index * grid + column.index);
  return {
    cells,
    expected: pairs.flatMap(({ column, row }) => Array.from(column.values, (v, i) => v * row.values[i]!)),
    step: full / x.height,
  };
}

function expectedCells(fixture: Fixture, place: string, grid: number): number[] {
  if (fixture.has(`${place}.positive_cells_in_order`)) return [...fixture.integers(`${place}.positive_cells_in_order`)];
  if (fixture.has(`${place}.positive`)) {
    return [...fixture.integers(`${place}.positive`).entries()].flatMap(([cell, on]) => (on ? [cell] : []));
  }
  const places = fixture.integers(`${place}.cells_yx`);
  return Array.from({ length: places.length / 2 }, (_, i) => places[2 * i]! * grid + places[2 * i + 1]!);
}

function gradientErrors(
  fixture: Fixture,
  parameters: ReadonlyMap<string, Parameter>,
  gradients: ReadonlyMap<string, tf.Tensor>,
): Record<string, number> {
  const errors: Record<string, number> = {};
  for (const stored of fixture.names.filter((name) => name.startsWith('grad.stats.'))) {
    const name = stored.slice('grad.stats.'.length);
    const own = nameInHead(name)!;
    const gradient = gradients.get(own)!;
    errors[`norm of ${own}`] = relativeError(normOf(gradient), fixture.floats(stored)[0]!);
    if (!fixture.has(`grad.full.${name}`) || parameters.get(own)!.layout !== 'same') continue;
    errors[own] = relativeToMaximum(gradient.dataSync(), fixture.floats(`grad.full.${name}`));
  }
  expect(Object.keys(errors).length).toBeGreaterThan(20);
  return errors;
}

function mapErrors(
  fixture: Fixture,
  features: readonly tf.Tensor4D[],
  gradients: ReadonlyMap<string, tf.Tensor>,
): Record<string, number> {
  const errors: Record<string, number> = {};
  for (const [l, map] of features.entries()) {
    const level = `p${l + 2}`;
    const values = gradients.get(level)!.dataSync();
    errors[`norm of ${level}`] = relativeError(
      normOf(gradients.get(level)!),
      fixture.floats(`grad_features.${level}.stats`)[0]!,
    );
    const [n, h, w, c] = map.shape;
    const all = sampleChannelsFirst(values, map.shape);
    const firstTwo = Array.from({ length: n }, (_, i) => [...all.subarray(i * c * h * w, (i * c + 2) * h * w)]).flat();
    errors[level] = relativeToMaximum(firstTwo, fixture.floats(`grad_features.${level}.first2channels`));
  }
  return errors;
}

/** Maps as parameters, so that gradients are asked of them. */
function asParameters(features: readonly tf.Tensor4D[]): [string, Parameter][] {
  return features.map((map, l) => [`p${l + 2}`, new Parameter(tf.clone(map))]);
}

const normOf = (gradient: tf.Tensor): number =>
  Math.sqrt((gradient.dataSync() as Float32Array).reduce((sum, value) => sum + value * value, 0));
const bits = (mask: Float32Array): Uint8Array => Uint8Array.from(mask, (value) => (value > 0.5 ? 1 : 0));
const sumOf = (values: Uint8Array): number => values.reduce((sum, bit) => sum + bit, 0);
const cellsOf = (mask: Float32Array): number => sumOf(bits(mask));
const differing = (a: Uint8Array, b: Uint8Array): number => a.reduce((sum, bit, i) => sum + (bit === b[i] ? 0 : 1), 0);

/** Rounding may move this many pixels over the threshold. */
function near(what: string, actual: number, expected: number): void {
  expect(above({ [what]: Math.abs(actual - expected) }, 5)).toEqual({});
}
