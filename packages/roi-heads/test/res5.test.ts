import '@tensorflow/tfjs-backend-cpu';
import { ResNetStage } from '@rcnn/backbone-resnet';
import { firstInOrderSampler } from '@rcnn/boxes';
import { loadStateDict } from '@rcnn/checkpoint';
import {
  type EngineName,
  Parameter,
  type Pyramid,
  Random,
  trainableParameters,
  useEngine,
  valueAndGradients,
} from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import type { BoxMask } from '@rcnn/detector';
import { above, Fixture, relativeError, relativeToMaximum, sampleChannelsFirst } from '@rcnn/fixtures';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { FastRCNNPredictor, MaskRCNNPredictor, Res5Heads } from '../src/index.ts';
import { sizesOf, weightsOfDetectron2 } from './detectron2.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));
const none = { boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() };

// detectron2 at commit 02b5c4e2: `Res5ROIHeads` on a given map of 64 channels. The file's tolerances: losses 1e-4,
// detections 0.02 pixels and 1e-4 in score, gradients 1e-2.
describe.each(['onnxruntime', 'cpu'] as const satisfies EngineName[])(
  'the last stage on every region, on %s',
  (engine) => {
    beforeAll(() => useEngine(engine));

    test('detections of two images and their masks, by position', async () => {
      const fixture = await read('c4_head_eval');
      const heads = build();
      await loadStateDict(heads, await weightsOfDetectron2(fixture));
      const features = mapOf(fixture);
      const rois = [0, 1].map((i) => {
        const boxes = fixture.floats(`proposals.${i}`);
        return { boxes, scores: new Float32Array(boxes.length / 4), labels: new Int32Array(boxes.length / 4) };
      });
      const found = await heads.detect(features, rois, sizesOf(fixture));
      for (const [i, { boxes, scores, labels, masks }] of found.entries()) {
        const wanted = fixture.floats(`detections.${i}.mask_probs.first4`);
        const cells = masks!.slice(0, 4).flatMap((mask) => [...(mask as BoxMask).cells]);
        const errors = {
          boxes: relativeToMaximum(boxes, fixture.floats(`detections.${i}.boxes`), 1) / 0.02,
          scores: relativeToMaximum(scores, fixture.floats(`detections.${i}.scores`), 1) / 1e-4,
          masks: relativeToMaximum(cells, wanted, 1) / 1e-4,
        };
        expect(above(errors, 1)).toEqual({});
        expect([...labels]).toEqual([...fixture.integers(`detections.${i}.classes`)].map((label) => label + 1));
      }
      await expectNoLeak(() => heads.detect(features, rois, sizesOf(fixture)));
      const empty = await heads.detect(features, [none, none], sizesOf(fixture));
      expect(empty.map(({ masks }) => masks)).toEqual([[], []]);
      tf.dispose([...features]);
      heads.dispose();
    });

    test('losses, and the gradients of every parameter and of the map', async () => {
      const fixture = await read('c4_head_train');
      const heads = build();
      await loadStateDict(heads, await weightsOfDetectron2(fixture));
      const features = mapOf(fixture);
      const targets = [0, 1].map((i) => fixture.targetOfDetectron2(i));
      const proposals = [0, 1].map((i) => fixture.floats(`proposals.${i}`));
      const map = new Parameter(tf.clone(features[0]!));
      const parameters = new Map([...trainableParameters(heads), ['map', map] as const]);
      const { loss, gradients, extra } = await valueAndGradients(async () => {
        const parts = await heads.losses([map.value as tf.Tensor4D], proposals, targets);
        return { loss: tf.addN(Object.values(parts)), extra: parts };
      }, parameters);
      const theirs = { loss_classifier: 'loss_cls', loss_box_reg: 'loss_box_reg', loss_mask: 'loss_mask' };
      const errors: Record<string, number> = {};
      for (const [ours, name] of Object.entries(theirs)) {
        errors[ours] = relativeError(extra[ours]!.dataSync()[0]!, fixture.floats(`loss.${name}`)[0]!);
      }
      expect(above(errors, 1e-4)).toEqual({});

      const wrong: Record<string, number> = {};
      const ofMap = gradients.get('map')!;
      const values = sampleChannelsFirst((await ofMap.data()) as Float32Array, features[0]!.shape);
      wrong['map'] = relativeToMaximum(values, fixture.floats('grad_features'));
      const stats = new Map(
        fixture.names.flatMap((name) => (name.startsWith('grad.stats.') ? [[ourName(name), name]] : [])),
      );
      for (const [name, gradient] of gradients) {
        if (name === 'map') continue;
        const [norm] = fixture.floats(stats.get(name)!);
        const own = (await gradient.data()) as Float32Array;
        wrong[name] = relativeError(Math.sqrt(own.reduce((sum, g) => sum + g * g, 0)), norm!);
      }
      // Frozen norms do not learn, in the file either.
      expect([...stats.keys()].filter((name) => !gradients.has(name))).toEqual([]);
      expect(above(wrong, 1e-2)).toEqual({});
      tf.dispose([loss, ...gradients.values(), ...features, { ...extra }]);
      map.dispose();
      heads.dispose();
    });
  },
);

test('no regions: losses of 0 under the same names; without a mask predictor boxes alone', async () => {
  await useEngine('cpu');
  const heads = build();
  const map = [tf.zeros([1, 4, 4, 64]) as tf.Tensor4D];
  const nothing = { boxes: new Float32Array(), labels: new Int32Array(), masks: [] };
  const losses = await heads.losses(map, [new Float32Array()], [nothing], { random: new Random(1) });
  expect(Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]])).toEqual([
    ['loss_classifier', 0],
    ['loss_box_reg', 0],
    ['loss_mask', 0],
  ]);
  expect(heads.spec.finds).toEqual(['boxes', 'masks']);
  expect(['res5.0.conv1.weight', 'box_predictor.cls_score.weight'].map(heads.spec.isPredictor)).toEqual([false, true]);
  const boxes = build(false);
  expect(boxes.spec).toMatchObject({ finds: ['boxes'], learnsFrom: [] });
  expect(Object.keys(await boxes.losses(map, [new Float32Array()], [nothing]))).toHaveLength(2);
  tf.dispose([map, { ...losses }]);
  heads.dispose();
  boxes.dispose();
});

/** The name of a statistic as our parameter's. */
function ourName(name: string): string {
  return name
    .replace('grad.stats.roi_heads.', '')
    .replace('mask_head.deconv.', 'mask_predictor.conv5_mask.')
    .replace('mask_head.predictor.', 'mask_predictor.mask_fcn_logits.')
    .replace('.shortcut.', '.downsample.0.');
}

function build(withMasks = true): Res5Heads {
  const random = new Random(5);
  const res5 = new ResNetStage({ block: 'bottleneck', blocks: 3, planes: 32, inChannels: 64, strideIn: '1x1', random });
  const pool = new MultiScaleRoIAlign({ outputSize: 14, strides: [16], aligned: true, samplingRatio: 0 });
  const predictor = new FastRCNNPredictor(128, 6, { random });
  const mask = withMasks ? { mask: new MaskRCNNPredictor(128, 6, { channels: 64, random }) } : {};
  const boxSampler = firstInOrderSampler({ batchSize: 32, positiveFraction: 0.25 });
  const rules = { boxLossBeta: 0, maskTargets: { aligned: true, threshold: 0.5 } };
  return new Res5Heads({ pool, res5, predictor, ...mask }, { boxSampler, boxDetectionsPerImg: 12, ...rules });
}

function mapOf(fixture: Fixture): Pyramid {
  const shape = fixture.shape('features.res4') as [number, number, number, number];
  return [tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats('features.res4'), shape), [0, 2, 3, 1]))];
}
