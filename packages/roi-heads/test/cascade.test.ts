import { bceWithLogits, firstInOrderSampler, Matcher } from '@rcnn/boxes';
import { loadStateDict } from '@rcnn/checkpoint';
import { Parameter, type Pyramid, Random, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import { above, Fixture, relativeError, relativeToMaximum, sampleChannelsFirst, useFastEngine } from '@rcnn/fixtures';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  CascadeHeads,
  FastRCNNPredictor,
  MaskBranch,
  MaskRCNNHeads,
  MaskRCNNPredictor,
  matchRegions,
  scaleGradient,
  TwoFCHead,
} from '../src/index.ts';
import { sizesOf, weightsOfDetectron2 } from './detectron2.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));
const LEVELS = ['p2', 'p3', 'p4', 'p5'] as const;

beforeAll(useFastEngine);

// detectron2 at commit 02b5c4e2: its heads on given maps of 16 channels, with given proposals. The file's tolerances:
// losses 1e-4, detections 0.02 pixels and 1e-4 in score, gradients 1e-2.
describe('detectron2’s cascade of three stages', () => {
  test('detections of two images, by position', async () => {
    const fixture = await read('cascade_head_eval');
    const heads = await build(fixture, 12);
    const features = pyramid(fixture);
    const rois = [0, 1].map((i) => {
      const boxes = fixture.floats(`proposals.${i}`);
      return { boxes, scores: new Float32Array(boxes.length / 4), labels: new Int32Array(boxes.length / 4) };
    });
    const found = await heads.detect(features, rois, sizesOf(fixture));
    for (const [i, { boxes, scores, labels, masks }] of found.entries()) {
      const errors = {
        boxes: relativeToMaximum(boxes, fixture.floats(`detections.${i}.boxes`), 1) / 0.02,
        scores: relativeToMaximum(scores, fixture.floats(`detections.${i}.scores`), 1) / 1e-4,
      };
      expect(above(errors, 1)).toEqual({});
      expect([...labels]).toEqual([...fixture.integers(`detections.${i}.classes`)].map((label) => label + 1));
      expect(masks).toHaveLength(labels.length);
    }
    await expectNoLeak(() => heads.detect(features, rois, sizesOf(fixture)));
    tf.dispose([...features]);
    heads.dispose();
  });

  test('losses of each stage, and what reaches the maps: a third of the boxes’, all of the masks’', async () => {
    const fixture = await read('cascade_head_train');
    const heads = await build(fixture, 12);
    const features = pyramid(fixture);
    const targets = [0, 1].map((i) => fixture.targetOfDetectron2(i));
    const proposals = [0, 1].map((i) => fixture.floats(`proposals.${i}`));
    const learn = () => heads.losses(features, proposals, targets, { sizes: sizesOf(fixture) });
    const losses = await learn();
    const errors: Record<string, number> = {};
    for (const [name, loss] of Object.entries(losses)) {
      errors[name] = relativeError(loss.dataSync()[0]!, fixture.floats(`loss.${name}`)[0]!);
    }
    expect(Object.keys(errors)).toHaveLength(7);
    // Our targets of masks are soft, torchvision's; detectron2's are 0 or 1: the same regions, another loss.
    const { loss_mask: ofSoftTargets, ...ofBoxes } = errors;
    expect(above(ofBoxes, 1e-4)).toEqual({});
    expect(ofSoftTargets).toBeLessThan(1e-2);
    tf.dispose({ ...losses });
    await expectNoLeak(async () => tf.dispose({ ...(await learn()) }));

    const mask = heads.branches['mask'] as MaskBranch;
    const loss = maskLoss(mask, features, fixture);
    expect(relativeError(loss.dataSync()[0]!, fixture.floats('loss.loss_mask')[0]!)).toBeLessThan(1e-4);
    loss.dispose();
    for (const kind of ['box', 'mask'] as const) {
      const gradients = await gradientsOfMaps(features, async (maps) => {
        if (kind === 'mask') return [maskLoss(mask, maps, fixture)];
        const all = await heads.losses(maps, proposals, targets, { sizes: sizesOf(fixture) });
        const { loss_mask: notBoxes, ...boxes } = all;
        notBoxes!.dispose();
        return Object.values(boxes);
      });
      const wrong: Record<string, number> = {};
      for (const [l, level] of LEVELS.entries()) {
        if (level === 'p2') continue; // only a channel of it is stored
        const values = sampleChannelsFirst(gradients[l]!, features[l]!.shape);
        wrong[`${kind} ${level}`] = relativeToMaximum(values, fixture.floats(`grad_features.${kind}.${level}`));
      }
      expect(above(wrong, 1e-2)).toEqual({});
    }
    tf.dispose([...features]);
    heads.dispose();
  });

  test('regions whose overlap is a threshold are objects, in float32', async () => {
    const fixture = await read('cascade_relabel');
    for (const [k, threshold] of [0.5, 0.6, 0.7].entries()) {
      const matcher = new Matcher({ foreground: threshold, background: threshold });
      for (const i of [0, 1]) {
        const { boxes, labels } = fixture.targetOfDetectron2(i);
        const found = matchRegions(fixture.floats(`boxes.${i}`), { boxes, labels }, matcher);
        const expected = [...fixture.integers(`stage${k}.${i}.gt_classes`)].map((label) =>
          label === 5 ? 0 : label + 1,
        );
        expect([k, i, ...found.labels]).toEqual([k, i, ...expected]);
      }
    }
  });
});

test('a scaled gradient: the value as it is, a third of the gradient', () => {
  const x = tf.tensor2d([1, -2, 3, 0, 5, -6], [2, 3]);
  const { value, grad } = tf.valueAndGrad((v) => tf.sum(tf.square(scaleGradient(v, 1 / 3))))(x);
  expectClose(value, 75);
  expectClose(
    [...grad.dataSync()],
    [2, -4, 6, 0, 10, -12].map((g) => g / 3),
  );
  tf.dispose([x, value, grad]);
});

test('no regions and no objects: losses of 0 under the same names, and nothing found', async () => {
  const heads = small(3);
  const maps = [8, 4, 2, 1].map((side) => tf.zeros([1, side, side, 16]) as tf.Tensor4D);
  const sizes = [[32, 32]] as const;
  const nothing = { boxes: new Float32Array(), labels: new Int32Array(), masks: [] };
  const losses = await heads.losses(maps, [new Float32Array()], [nothing], { sizes, random: new Random(1) });
  expect(Object.values(losses).map((loss) => loss.dataSync()[0])).toEqual([0, 0, 0, 0, 0, 0, 0]);
  const none = { boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() };
  const [found] = await heads.detect(maps, [none], sizes);
  expect(found!.labels).toHaveLength(0);
  tf.dispose([maps, { ...losses }]);
  heads.dispose();
});

test('stages, thresholds and factors must belong together', () => {
  const heads = small(2);
  expect(heads.spec.finds).toEqual(['boxes', 'masks']);
  expect(() => new CascadeHeads({ pool: heads as never, stages: [] })).toThrow('each stage needs a threshold');
  heads.dispose();
});

/** The loss of the reference's own regions and targets of masks: those of the first stage's positives. */
function maskLoss(mask: MaskBranch, features: Pyramid, fixture: Fixture): tf.Scalar {
  const rois = [0, 1].map((i) => ({
    boxes: fixture.floats(`mask.${i}.rois`),
    labels: fixture.integers(`mask.${i}.classes`).map((label) => label + 1),
  }));
  const truth = [0, 1].flatMap((i) => [...fixture.integers(`mask.${i}.targets`)]);
  return tf.tidy(() => {
    const logits = mask.forward(features, rois, 'train');
    return tf.mean(bceWithLogits(logits, tf.tensor3d(truth, logits.shape))) as tf.Scalar;
  });
}

function small(numClasses: number, detections = 12): CascadeHeads {
  const random = new Random(5);
  const align = (outputSize: number) => new MultiScaleRoIAlign({ outputSize, aligned: true, samplingRatio: 0 });
  const stages = [0, 1, 2].map(() => ({
    head: new TwoFCHead({ inChannels: 16, outFeatures: 128, random }),
    predictor: new FastRCNNPredictor(128, numClasses, { classAgnostic: true, random }),
  }));
  const head = new MaskRCNNHeads({ inChannels: 16, channels: [64, 64, 64, 64], random });
  const predictor = new MaskRCNNPredictor(64, numClasses, { channels: 64, random });
  const mask = new MaskBranch({ pool: align(14), head, predictor }, { maskPaste: 'detectron2' });
  const boxSampler = firstInOrderSampler({ batchSize: 64, positiveFraction: 0.25 });
  const options = { boxSampler, boxDetectionsPerImg: detections };
  return new CascadeHeads({ pool: align(7), stages, branches: { mask } }, options);
}

async function build(fixture: Fixture, detections: number): Promise<CascadeHeads> {
  const heads = small(6, detections);
  await loadStateDict(heads, await weightsOfDetectron2(fixture));
  return heads;
}

function pyramid(fixture: Fixture): Pyramid {
  return LEVELS.map((level) => {
    const shape = fixture.shape(`features.${level}`) as [number, number, number, number];
    return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(`features.${level}`), shape), [0, 2, 3, 1]));
  });
}

/** The gradient of the sum of losses in each map. */
async function gradientsOfMaps(
  features: Pyramid,
  losses: (maps: Pyramid) => Promise<tf.Scalar[]>,
): Promise<Float32Array[]> {
  const variables = features.map((map) => new Parameter(tf.clone(map)));
  const named = new Map(variables.map((variable, l) => [LEVELS[l]!, variable]));
  const { loss, gradients } = await valueAndGradients(async () => {
    const parts = await losses(variables.map(({ value }) => value as tf.Tensor4D));
    return { loss: tf.addN(parts) };
  }, named);
  const values = LEVELS.map(async (level, l) => {
    const gradient = gradients.get(level);
    return gradient === undefined ? new Float32Array(features[l]!.size) : ((await gradient.data()) as Float32Array);
  });
  const found = await Promise.all(values);
  tf.dispose([loss, ...gradients.values()]);
  for (const variable of variables) variable.dispose();
  return found;
}
