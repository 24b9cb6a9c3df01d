import { ResNet, ResNetStage } from '@rcnn/backbone-resnet';
import { convertForeign, loadStateDict, memorySource, stateDict, type TensorSource } from '@rcnn/checkpoint';
import {
  type Backbone,
  Module,
  type Phase,
  type PixelImage,
  Random,
  trainableParameters,
  valueAndGradients,
  withoutInitialising,
} from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { readImages } from '@rcnn/detector';
import {
  above,
  Fixture,
  fixtureImage,
  relativeError,
  relativeToMaximum,
  sampleChannelsFirst,
  shareOfBoxesFound,
  useFastEngine,
} from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { SGD } from '@rcnn/optim';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { FastRCNNPredictor, MaskRCNNPredictor, Res5Heads } from '@rcnn/roi-heads';
import { AnchorGenerator, RPNHead } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { architectureOf, classesOf } from '../src/from-checkpoint.ts';
import { architecture, type FasterRCNN, firstInOrderSampler, MaskRCNN, type RecipeOptions } from '../src/index.ts';
import { batchOf, nameOfDetectron2, normErrors } from './support/detectron2.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

beforeAll(useFastEngine);

// torchvision 0.29.1 with the backbone of one map. The file's tolerances: features, logits and losses 1e-4 relative,
// detections 0.02 pixels and 1e-4 in score, gradient norms 1e-2, losses of the second step 1e-3.
describe('Mask R-CNN on C5', () => {
  const small = { numClasses: 6, fpnChannels: 64, boxFeatures: 128, minSize: 192, maxSize: 256 };

  test('map, first stage, detections and masks', async () => {
    const fixture = await read('eval_maskrcnn_resnet18_c5_small');
    const model = architecture('maskrcnn_resnet18_c5')({ ...small, rpnPostNmsTopNTest: 100, boxDetectionsPerImg: 12 });
    const weights = fixture.weights();
    await loadStateDict(model, weights);
    expect(architectureOf(weights)).toBe('maskrcnn_resnet18_c5');
    const images = await Promise.all([fixtureImage('a'), fixtureImage('b')]);
    const batch = model.transform.forward(await readImages('test', images));
    const features = model.backbone.forward(batch.images);
    const outputs = model.rpn.forward(features);
    const errors: Record<string, number> = {};
    for (const [name, map] of Object.entries({
      features: features[0]!,
      'rpn.objectness': outputs.logits[0]!,
      'rpn.deltas': outputs.deltas[0]!,
    })) {
      errors[name] = relativeToMaximum(sampleChannelsFirst(await map.data(), map.shape), fixture.floats(name));
    }
    expect(above(errors, 1e-4)).toEqual({});
    const sizes = batch.placements.map(({ size }) => size);
    const proposals = await model.rpn.propose(outputs, sizes, batch.paddedSize, 'test');
    for (const [i, { boxes }] of proposals.entries()) {
      expect(shareOfBoxesFound(boxes, fixture.floats(`proposals.${i}`), 0.02)).toBe(1);
    }
    const found = await model.detect(images);
    for (const [i, detections] of found.entries()) {
      expectDetections(detections, fixture, i, fixture.integers(`detections.${i}.labels`));
      const areas = detections.map(({ mask }) => mask!.bitmap().reduce((sum, bit) => sum + bit, 0));
      for (const [k, area] of fixture.integers(`detections.${i}.mask_areas`).entries()) {
        expect(Math.abs(areas[k]! - area)).toBeLessThanOrEqual(1 + area * 1e-3);
      }
    }
    tf.dispose([batch.images, [...features], outputs.logits, outputs.deltas] as tf.TensorContainer);
    model.dispose();
  });

  test('losses of two steps, and the gradient of every parameter that learns', async () => {
    const fixture = await read('train_maskrcnn_resnet18_c5_small');
    const model = architecture('maskrcnn_resnet18_c5')({
      ...small,
      rpnPostNmsTopNTrain: 200,
      rpnSampler: firstInOrderSampler({ batchSize: 256, positiveFraction: 0.5 }),
      boxSampler: firstInOrderSampler({ batchSize: 64, positiveFraction: 0.25 }),
    });
    await loadStateDict(model, fixture.weights());
    const images = await Promise.all([fixtureImage('a'), fixtureImage('b')]);
    const targets = [0, 1].map((i) => targetOf(fixture, i, fixture.integers(`targets.${i}.labels`)));
    const optimizer = new SGD(trainableParameters(model), { momentum: 0.9 });
    for (const step of [0, 1]) {
      const { loss, gradients, extra } = await valueAndGradients(async () => {
        const parts = await model.losses(images, targets);
        return { loss: tf.addN(Object.values(parts)), extra: parts };
      }, trainableParameters(model));
      const errors: Record<string, number> = {};
      for (const [name, value] of Object.entries(extra)) {
        errors[name] = relativeError((await value.data())[0]!, fixture.floats(`step${step}.${name}`)[0]!);
      }
      expect(Object.keys(errors)).toHaveLength(5);
      expect(above(errors, step === 0 ? 1e-4 : 1e-3)).toEqual({});
      if (step === 0) expect(above(await normErrors(gradients, fixture, (name) => name), 1e-2)).toEqual({});
      optimizer.update({ gradients, settingsOf: () => ({ learningRate: 5e-4, weightDecay: 1e-4 }) });
      tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
    }
    optimizer.dispose();
    model.dispose();
  });

  test('of the VOC recipe no class shares its number with the background', () => {
    const narrow = { fpnChannels: 16, boxFeatures: 16, minSize: 64, maxSize: 64 };
    const model = architecture('maskrcnn_resnet18_c5_voc')(narrow);
    expect(model.spec.numClasses).toBe(21);
    model.dispose();
  });
});

// detectron2 at commit 02b5c4e2, its own weights' names on the way through `convertForeign`.
describe('Mask R-CNN on C4', () => {
  async function build(fixture: Fixture, options: RecipeOptions): Promise<FasterRCNN> {
    const source = fixture.weights();
    const { tensors, profile } = (await convertForeign(source))!;
    expect(profile.options).toEqual({ normEpsilon: 1e-5, strideIn: '1x1', maskPaste: 'detectron2' });
    expect(profile.input.sizeDivisor).toBe(1);
    const weights = memorySource(tensors, 'converted');
    expect(architectureOf(weights)).toMatch(/^maskrcnn_resnet50_c4$/);
    const model = architecture('maskrcnn_resnet50_c4')({ strideIn: '1x1', numClasses: 6, ...options });
    await loadStateDict(model, weights);
    return model;
  }

  test('map, first stage, detections and masks of the full width', async () => {
    const fixture = await read('eval_maskrcnn_resnet50_c4');
    const model = await build(fixture, {
      fpnChannels: 64,
      minSize: 240,
      maxSize: 320,
      rpnPostNmsTopNTest: 60,
      boxDetectionsPerImg: 12,
    });
    const images = [await fixtureImage('a')];
    const batch = model.transform.forward(await readImages('test', images));
    const [count, channels, height, width] = fixture.integers('batch.shape');
    expect(batch.images.shape).toEqual([count, height, width, channels]);
    const features = model.backbone.forward(batch.images);
    const outputs = model.rpn.forward(features);
    const maximum = fixture.floats('features.res4.stats')[2]!;
    const map = features[0]!;
    const sample = sampleChannelsFirst(await map.data(), map.shape, { skip: 16, step: 2 });
    expect(relativeToMaximum(sample, fixture.floats('features.res4.sample'), maximum)).toBeLessThan(1e-4);
    const logits = outputs.logits[0]!;
    const objectness = sampleChannelsFirst(await logits.data(), logits.shape);
    expect(relativeToMaximum(objectness, fixture.floats('rpn.objectness'))).toBeLessThan(1e-4);
    const [proposals] = await model.rpn.propose(outputs, [[240, 320]], batch.paddedSize, 'test');
    expect(shareOfBoxesFound(proposals!.boxes, fixture.floats('proposals.0.boxes'), 0.02)).toBe(1);
    const [found] = await model.detect(images);
    expectDetections(
      found!,
      fixture,
      0,
      fixture.integers('detections.0.classes').map((label) => label + 1),
    );
    const areas = found!.map(({ mask }) => mask!.bitmap().reduce((sum, bit) => sum + bit, 0));
    for (const [k, area] of fixture.integers('detections.0.pasted_areas').entries()) {
      expect(Math.abs(areas[k]! - area)).toBeLessThanOrEqual(1 + area * 1e-3);
    }
    tf.dispose([batch.images, [...features], outputs.logits, outputs.deltas] as tf.TensorContainer);
    model.dispose();
  });

  test('losses, and the gradient of every parameter that learns, of thin bottlenecks', async () => {
    const fixture = await read('train_maskrcnn_resnet50_c4_thin');
    const model = thin();
    const { tensors } = (await convertForeign(fixture.weights()))!;
    await loadStateDict(model, memorySource(tensors, 'converted'));
    for (const [name, parameter] of model.namedParameters()) {
      if (/^backbone\.body\.(conv1|layer1)\./.test(name)) parameter.trainable = false;
    }
    const targets = [0, 1].map((i) => {
      const labels = fixture.integers(`targets.${i}.classes`).map((label) => label + 1);
      return targetOf(fixture, i, labels);
    });
    const images = batchOf(await Promise.all([fixtureImage('a'), fixtureImage('b')]));
    const sizes = [[240, 320], [333, 241]] as const; // biome-ignore format: two images
    const paddedSize = [333, 320] as const;
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const features = model.backbone.forward(images, 'train');
      const outputs = model.rpn.forward(features, 'train');
      const proposals = await model.rpn.propose(outputs, sizes, paddedSize, 'train');
      const first = model.rpn.losses(
        outputs,
        targets.map(({ boxes }) => boxes),
        paddedSize,
      );
      const regions = proposals.map(({ boxes }) => boxes);
      const second = await model.roiHeads.losses(features, regions, targets, {
        sizes,
        phase: 'train',
        random: new Random(0),
      });
      const parts = { ...first, ...second };
      return { loss: tf.addN(Object.values(parts)), extra: parts };
    }, trainableParameters(model));
    const theirs: Record<string, string> = {
      loss_classifier: 'loss_cls',
      loss_box_reg: 'loss_box_reg',
      loss_mask: 'loss_mask',
      loss_objectness: 'loss_rpn_cls',
      loss_rpn_box_reg: 'loss_rpn_loc',
    };
    const errors: Record<string, number> = {};
    for (const [name, value] of Object.entries(extra)) {
      errors[name] = relativeError((await value.data())[0]!, fixture.floats(`step0.${theirs[name]!}`)[0]!);
    }
    expect(Object.keys(errors)).toHaveLength(5);
    expect(above(errors, 1e-4)).toEqual({});
    expect(above(await normErrors(gradients, fixture, nameOfDetectron2), 1e-2)).toEqual({});
    tf.dispose([loss, images, ...gradients.values(), ...Object.values(extra)]);
    model.dispose();
  });
});

/** The recipe's parts with bottlenecks an eighth as wide, as no recipe has them. */
function thin(): FasterRCNN {
  const random = new Random(1);
  const shape = { block: 'bottleneck', widthPerGroup: 8, strideIn: '1x1', random } as const;
  const backbone = new Body(new ResNet({ ...shape, blocks: [3, 4, 6, 3], outputStages: [3], trainableStages: 3 }));
  const res5 = new ResNetStage({ ...shape, blocks: 3, planes: 512, inChannels: 1024 });
  const pool = new MultiScaleRoIAlign({ outputSize: 14, strides: [16], aligned: true, samplingRatio: 0 });
  const predictor = new FastRCNNPredictor(2048, 6, { random });
  const mask = new MaskRCNNPredictor(2048, 6, { channels: 64, random });
  const rules = { boxLossBeta: 0, maskTargets: { aligned: true, threshold: 0.5 } };
  const boxSampler = firstInOrderSampler({ batchSize: 32, positiveFraction: 0.25 });
  return new MaskRCNN(backbone, {
    numClasses: 6,
    roiHeads: new Res5Heads({ pool, res5, predictor, mask }, { boxSampler, ...rules }),
    rpnAnchorGenerator: new AnchorGenerator({
      sizes: [[32, 64, 128, 256, 512]],
      rounded: false,
      outer: 'size',
      strides: [16],
    }),
    rpnHead: new RPNHead(1024, 15, { hiddenChannels: 64, random }),
    rpnPreNmsTopNTrain: 12000,
    rpnPostNmsTopNTrain: 100,
    rpnSampler: firstInOrderSampler({ batchSize: 256, positiveFraction: 0.5 }),
    rpnLossBeta: 0,
    rpnLossNorm: 'full',
  }) as FasterRCNN;
}

class Body extends Module implements Backbone {
  readonly outputs: Backbone['outputs'];
  readonly #body: ResNet;

  constructor(body: ResNet) {
    super();
    this.#body = this.register('body', body);
    this.outputs = body.outputs;
  }

  forward(images: tf.Tensor4D, phase?: Phase) {
    return this.#body.forward(images, phase);
  }
}

test.each(['rfcn_resnet18', 'maskrcnn_resnet18_dc5', 'fasterrcnn_resnet18_c4', 'fasterrcnn_resnet18_c5'])(
  '%s learns and detects, its weights tell its classes, and no tensor is left',
  async (name) => {
    const narrow = {
      planes: [8, 8, 16, 16],
      stemChannels: 8,
      fpnChannels: 8,
      boxFeatures: 16,
      minSize: 64,
      maxSize: 96,
    };
    const proposals = { rpnPostNmsTopNTrain: 20, rpnPostNmsTopNTest: 20, norm: 'batch', numClasses: 4 } as const;
    const model = architecture(name)({ ...narrow, ...proposals, random: new Random(3), trainableStages: 5 });
    const image: PixelImage = { data: new Uint8Array(64 * 80 * 3).fill(90), height: 64, width: 80, channels: 3 };
    const masks = [Mask.fromBitmap(new Uint8Array(64 * 80).fill(1, 900, 1800), [64, 80])];
    const target = { boxes: Float32Array.of(8, 8, 50, 50), labels: Int32Array.of(2), masks };
    const parameters = trainableParameters(model);
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const parts = await model.losses([image], [target]);
      return { loss: tf.addN(Object.values(parts)), extra: parts };
    }, parameters);
    expect(Number.isFinite((await loss.data())[0])).toBe(true);
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
    await model.detect([image]); // folds the norms
    await expectNoLeak(() => model.detect([image]));
    const weights = memorySource([...(await stateDict(model)).values()], 'weights');
    expect(classesOf(weights)).toBe(4);
    expect([...gradients.keys()].length).toBeGreaterThan(30);
    model.dispose();
  },
);

test.each(['rfcn_resnet18', 'maskrcnn_resnet18_dc5', 'fasterrcnn_resnet18_c4', 'fasterrcnn_resnet18_c5'])(
  'weights of %s are recognised by their names and shapes',
  (name) => {
    const narrow = { fpnChannels: 8, boxFeatures: 16, numClasses: 4 };
    const model = withoutInitialising(() => architecture(name)(narrow));
    const shapes = [...model.namedParameters()].map(([own, { shape, layout }]) => {
      const [height, width, inputs, outputs] = shape as [number, number, number, number];
      return [own, { shape: layout === 'conv' ? [outputs, inputs, height, width] : shape }] as const;
    });
    expect(architectureOf({ tensors: new Map(shapes) } as unknown as TensorSource)).toBe(name);
    model.dispose();
  },
);

function expectDetections(
  found: Awaited<ReturnType<FasterRCNN['detect']>>[number],
  fixture: Fixture,
  i: number,
  labels: Int32Array,
): void {
  expect(found.map(({ label }) => label)).toEqual([...labels]);
  const errors = {
    boxes:
      relativeToMaximum(
        found.flatMap(({ box }) => [...box]),
        fixture.floats(`detections.${i}.boxes`),
        1,
      ) / 0.02,
    scores:
      relativeToMaximum(
        found.map(({ score }) => score),
        fixture.floats(`detections.${i}.scores`),
        1,
      ) / 1e-4,
  };
  expect(above(errors, 1)).toEqual({});
}

function targetOf(fixture: Fixture, i: number, labels: Int32Array) {
  const [count, height, width] = fixture.shape(`targets.${i}.masks`) as [number, number, number];
  const pixels = fixture.integers(`targets.${i}.masks`);
  const masks = Array.from({ length: count }, (_, k) =>
    Mask.fromBitmap(Uint8Array.from(pixels.slice(k * height * width, (k + 1) * height * width)), [height, width]),
  );
  return { boxes: fixture.floats(`targets.${i}.boxes`), labels, masks };
}
