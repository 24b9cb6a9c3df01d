import { Parameter, type Pyramid, trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { AffinePlacement } from '@rcnn/detector';
import {
  above,
  type Fixture,
  relativeError,
  relativeToMaximum,
  sampleChannelsFirst,
  useFastEngine,
} from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { type HTCHeads, MaskCascade, SemanticBranch, type SemanticLabels, semanticLoss } from '../src/index.ts';
import {
  LEVELS,
  load,
  mapOf,
  maskStages,
  ownName,
  pyramidOf,
  read,
  SIZES,
  smallHeads,
  stored,
  targetOf,
} from './support.ts';

beforeAll(useFastEngine);

// mmdetection 3.3.0, its heads on given maps of 16 channels with given proposals. The files' tolerances: logits, losses
// and scores 1e-4, boxes 0.02 pixels, areas of masks 5 pixels, gradients 1e-2.
describe('parts', () => {
  test('the three mask heads in a row, and what reaches the regions and every weight', async () => {
    const fixture = await read('mask_flow');
    const masks = await load(new MaskCascade(maskStages(true)), fixture);
    const pooled = mapOf(fixture, 'pooled');
    const errors: Record<string, number> = {};
    for (const k of [0, 1, 2]) {
      const features = masks.features(pooled, k);
      errors[`features ${k}`] = relativeToMaximum(
        sampleChannelsFirst(features.dataSync(), features.shape),
        fixture.floats(`stage${k}.features`),
      );
      const logits = [1, 2, 3, 4, 5].map((label) => masks.forward(pooled, new Int32Array(4).fill(label), k));
      const all = tf.stack(logits, 1); // [R, K, 28, 28]
      errors[`logits ${k}`] = relativeToMaximum(all.dataSync(), fixture.floats(`stage${k}.logits`));
      tf.dispose([features, logits, all]);
    }
    expect(above(errors, 1e-4)).toEqual({});

    const given = tf.tensor4d(fixture.floats('grad_of_last_logits'), [4, 5, 28, 28]);
    const input = new Parameter(tf.clone(pooled));
    const parameters = new Map([...trainableParameters(masks), ['pooled', input] as const]);
    const { loss, gradients } = await valueAndGradients(async () => {
      const rows = [1, 2, 3, 4, 5].map((label) =>
        masks.forward(input.value as tf.Tensor4D, new Int32Array(4).fill(label), 2),
      );
      return { loss: tf.sum(tf.mul(tf.stack(rows, 1), given)) as tf.Scalar };
    }, parameters);
    const reached = gradients.get('pooled')!;
    const back = sampleChannelsFirst(reached.dataSync(), reached.shape as [number, number, number, number]);
    expect(relativeToMaximum(back, fixture.floats('grad_pooled'))).toBeLessThan(1e-2);
    gradients.delete('pooled');
    expect(await wrongGradients(fixture, gradients, parameters)).toEqual({});
    tf.dispose([loss, reached, ...gradients.values(), given, pooled]);
    input.dispose();
    masks.dispose();
  });

  test('the semantic branch: aligned corners, both maps, its loss and every gradient', async () => {
    const fixture = await read('semantic');
    const branch = await load(new SemanticBranch({ inChannels: 16, numClasses: 7 }), fixture);
    const features = pyramidOf(fixture);
    const labels = Int32Array.from(fixture.integers('labels_at_stride8'), (label) => (label === 255 ? -1 : label));
    expect(labels.includes(-1)).toBe(true);
    const { logits, embedding } = branch.forward(features);
    const errors = {
      logits: relativeToMaximum(sampleChannelsFirst(logits.dataSync(), logits.shape), fixture.floats('logits')),
      embedding: relativeToMaximum(
        sampleChannelsFirst(embedding.dataSync(), embedding.shape),
        fixture.floats('embedding'),
      ),
    };
    expect(above(errors, 1e-4)).toEqual({});
    const value = tf.tidy(() => tf.mul(semanticLoss(logits, labels), 0.2)).dataSync()[0]!;
    expect(relativeError(value, fixture.floats('loss')[0]!)).toBeLessThan(1e-4);

    const maps = features.map((map) => new Parameter(tf.clone(map)));
    const own = trainableParameters(branch);
    const parameters = new Map([...own, ...LEVELS.map((level, l) => [level, maps[l]!] as [string, Parameter])]);
    const { loss, gradients } = await valueAndGradients(async () => {
      const said = branch.forward(maps.map((map) => map.value as tf.Tensor4D));
      return { loss: tf.mul(semanticLoss(said.logits, labels), 0.2) as tf.Scalar };
    }, parameters);
    const norms: Record<string, number> = {};
    for (const level of LEVELS) {
      const [norm] = fixture.floats(`grad_features.${level}.stats`);
      norms[level] = relativeError(normOf(gradients.get(level)!.dataSync() as Float32Array), norm!);
    }
    expect(above(norms, 1e-2)).toEqual({});
    const ofBranch = new Map([...gradients].filter(([name]) => own.has(name)));
    expect(await wrongGradients(fixture, ofBranch, own, 'semantic_head.')).toEqual({});
    tf.dispose([loss, ...gradients.values(), logits, embedding, ...features]);
    for (const map of maps) map.dispose();
    branch.dispose();
  });
});

test('detections of two images: boxes, classes by the mean of logits, masks of the last head', async () => {
  const fixture = await read('htc_eval');
  const heads = await load(smallHeads({ semantic: true, flow: true }), fixture);
  const features = pyramidOf(fixture);
  const rois = [0, 1].map((i) => {
    const boxes = fixture.floats(`proposals.${i}`);
    return { boxes, scores: new Float32Array(boxes.length / 4), labels: new Int32Array(boxes.length / 4) };
  });
  const found = await heads.detect(features, rois, SIZES);
  for (const [i, { boxes, scores, labels }] of found.entries()) {
    const errors = {
      boxes: relativeToMaximum(boxes, fixture.floats(`detections.${i}.boxes`), 1) / 0.02,
      scores: relativeToMaximum(scores, fixture.floats(`detections.${i}.scores`), 1) / 1e-4,
    };
    expect(above(errors, 1)).toEqual({});
    expect([...labels]).toEqual([...fixture.integers(`detections.${i}.labels`)].map((label) => label + 1));
    const areas = fixture.integers(`detections.${i}.mask_areas`);
    const [height, width] = SIZES[i]!;
    const first = fixture.integers(`detections.${i}.masks.first3`) as unknown as Uint8Array;
    const placement = new AffinePlacement({ originalSize: [height, width], resizedSize: [height, width] });
    placement.toImage(found[i]!).forEach(({ mask }, object) => {
      const bitmap = mask!.bitmap();
      const area = bitmap.reduce((sum, bit) => sum + bit, 0);
      expect(Math.abs(area - areas[object]!), `area of ${object}`).toBeLessThanOrEqual(5);
      if (object >= 3) return;
      const expected = first.subarray(object * height * width, (object + 1) * height * width);
      expect(bitmap.reduce((sum, bit, at) => sum + Math.abs(bit - expected[at]!), 0)).toBeLessThanOrEqual(5);
    });
  }
  await expectNoLeak(() => heads.detect(features, rois, SIZES));
  tf.dispose([...features]);
  heads.dispose();
});

describe.each([
  ['htc_train', { semantic: true, flow: true }, true],
  ['htc_train_without_semantic', { semantic: false, flow: true }, true],
  ['htc_train_plain_cascade', { semantic: false, flow: false }, false],
] as const)('%s', (name, shape, interleaved) => {
  test('losses of every stage, what reaches the maps, and every gradient', async () => {
    const fixture = await read(name);
    const semanticLabels: SemanticLabels = (_, { cells: [rows, columns], stride }, image) => {
      const at = `targets.${image}.semantic`;
      const [height, width] = fixture.shape(at) as [number, number];
      expect([height / stride, width / stride]).toEqual([rows, columns]);
      const labels = fixture.integers(at);
      return Int32Array.from({ length: rows * columns }, (_, cell) => {
        const label = labels[Math.floor(cell / columns) * stride * width + (cell % columns) * stride]!;
        return label === 255 ? -1 : label;
      });
    };
    const heads = await load(smallHeads(shape, { interleaved, semanticLabels }), fixture);
    const features = pyramidOf(fixture);
    const targets = [0, 1].map((i) => targetOf(fixture, i));
    const proposals = [0, 1].map((i) => fixture.floats(`proposals.${i}`));
    const learn = (maps: Pyramid) => heads.losses(maps, proposals, targets, { sizes: SIZES });
    const losses = await learn(features);
    const errors: Record<string, number> = {};
    for (const [loss, value] of Object.entries(losses)) {
      errors[loss] = relativeError(value.dataSync()[0]!, fixture.floats(`loss.${theirLoss(loss)}`)[0]!);
    }
    expect(Object.keys(errors)).toHaveLength(shape.semantic ? 10 : 9);
    expect(above(errors, 1e-4)).toEqual({});
    tf.dispose({ ...losses });
    await expectNoLeak(async () => tf.dispose({ ...(await learn(features)) }));
    await compareGradients(fixture, heads, features, learn);
    tf.dispose([...features]);
    heads.dispose();
  });
});

async function compareGradients(
  fixture: Fixture,
  heads: HTCHeads,
  features: Pyramid,
  learn: (maps: Pyramid) => Promise<Readonly<Record<string, tf.Scalar>>>,
): Promise<void> {
  const maps = features.map((map) => new Parameter(tf.clone(map)));
  const own = trainableParameters(heads);
  const parameters = new Map([...own, ...LEVELS.map((level, l) => [level, maps[l]!] as [string, Parameter])]);
  const { loss, gradients } = await valueAndGradients(async () => {
    return { loss: tf.addN(Object.values(await learn(maps.map((map) => map.value as tf.Tensor4D)))) as tf.Scalar };
  }, parameters);
  const wrong: Record<string, number> = {};
  for (const [l, level] of LEVELS.entries()) {
    if (!fixture.has(`grad_features.${level}.stats`)) continue;
    const values = gradients.get(level)!.dataSync() as Float32Array;
    const [norm, , largest] = fixture.floats(`grad_features.${level}.stats`) as unknown as [number, number, number];
    wrong[`norm of ${level}`] = relativeError(normOf(values), norm);
    const [count, height, width, channels] = features[l]!.shape;
    const all = sampleChannelsFirst(values, features[l]!.shape);
    const area = height * width;
    const first = Float32Array.from({ length: count * 4 * area }, (_, i) => {
      return all[Math.floor(i / (4 * area)) * channels * area + (i % (4 * area))]!;
    });
    wrong[level] = relativeToMaximum(first, fixture.floats(`grad_features.${level}.first4channels`), largest);
  }
  expect(above(wrong, 1e-2)).toEqual({});
  const ofHeads = new Map([...gradients].filter(([name]) => own.has(name)));
  expect(await wrongGradients(fixture, ofHeads, own)).toEqual({});
  tf.dispose([loss, ...gradients.values()]);
  for (const map of maps) map.dispose();
}

function theirLoss(name: string): string {
  const stage = /^loss_(cls|box_reg|mask)_stage(\d)$/.exec(name);
  if (stage === null) return 'loss_semantic_seg';
  return `s${stage[2]}.loss_${stage[1] === 'box_reg' ? 'bbox' : stage[1]}`;
}

/** Norm, largest entry and, of small ones, every entry of all gradients that the file has; all of them must be there. */
async function wrongGradients(
  fixture: Fixture,
  gradients: ReadonlyMap<string, tf.Tensor>,
  parameters: ReadonlyMap<string, Parameter>,
  prefix = '',
): Promise<Record<string, number>> {
  const values = await stored(gradients, parameters);
  const theirs = fixture.names.flatMap((name) => /^grad\.stats\.(.*)$/.exec(name)?.[1] ?? []);
  const errors: Record<string, number> = {};
  for (const name of theirs) {
    const own = ownName(name).replace(prefix, '');
    const [norm, , largest] = fixture.floats(`grad.stats.${name}`) as unknown as [number, number, number];
    const gradient = values.get(own);
    if (gradient === undefined) {
      if (norm !== 0) errors[`${own} is missing`] = norm;
      continue;
    }
    errors[`norm of ${own}`] = relativeError(normOf(gradient), norm);
    errors[`maximum of ${own}`] = relativeError(
      gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0),
      largest,
    );
    if (fixture.has(`grad.full.${name}`)) {
      errors[`entries of ${own}`] = relativeToMaximum(gradient, fixture.floats(`grad.full.${name}`));
    }
  }
  expect(theirs.length).toBeGreaterThan(0);
  return above(errors, 1e-2);
}

const normOf = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
