import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memorySource, stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { BatchNorm, Conv2d, type Detector, Module, Random, withoutInitialising } from '@rcnn/core';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import type { AnchorLattice, MaskRCNN } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type Architecture,
  architectures,
  checkOptions,
  detectorFromCheckpoint,
  findArchitecture,
  formerOptions,
  presetModels,
  profileOf,
} from '../src/index.ts';
import { loadDetector } from '../src/node.ts';

beforeAll(() => tf.setBackend('cpu'));

/** A detector of one layer: what there is to build, save and load. */
class Dot extends Module implements Detector {
  readonly spec: Detector['spec'];

  constructor(numClasses: number, side: number, random: Random | undefined) {
    super();
    this.register('head', new Conv2d(3, numClasses, { kernelSize: 1, random }));
    this.spec = {
      numClasses,
      learnsFrom: [],
      finds: ['boxes'],
      input: {
        resize: { rule: 'fixed', size: [side, side] },
        sizeDivisor: 1,
        channelOrder: 'rgb',
        mean: [0, 0, 0],
        std: [1, 1, 1],
      },
      isPredictor: (name) => name.startsWith('head.'),
    };
  }

  detect = (): Promise<never[][]> => Promise.resolve([]);
  losses = (): Promise<Record<string, tf.Scalar>> => Promise.resolve({});
}

const dot: Architecture = {
  name: 'dot',
  about: 'nothing at all',
  optionSchema: z.strictObject({ side: z.number().int().min(1).default(32), speed: z.number().optional() }),
  weightOptions: ['side'],
  build: ({ numClasses, options, random }) => new Dot(numClasses, options['side'] as number, random),
};
const withDot = [...architectures, dot];

test('the usual one comes first, and names are there once', () => {
  const names = architectures.map(({ name }) => name);
  expect(names[0]).toBe('maskrcnn_resnet50_fpn');
  expect(new Set(names).size).toBe(names.length);
});

test('a name that is not there is answered with those that are like it', () => {
  const wrong = (name: string) => () => findArchitecture(architectures, name);
  expect(wrong('dot')).toThrowError(
    /dot.*no such architecture; expected one of maskrcnn_resnet50_fpn, .* and \d+ others/,
  );
  expect(wrong('solo-small')).toThrowError(/expected one of .*solov2_small.* and \d+ others/);
  expect(wrong('maskrcnn_resnet50')).toThrowError(/expected one of maskrcnn_resnet50_fpn, /);
  expect(wrong('maskrcnn_small_fpn')).toThrowError(/expected one of (?:\w+, )*maskrcnn_small/);
});

test('presets and former names speak of options that are there', () => {
  for (const { arch = 'maskrcnn_resnet50_fpn', model = {} } of Object.values(presetModels)) {
    checkOptions(findArchitecture(architectures, arch), model);
  }
  const known = Object.keys(architectures[0]!.optionSchema.shape);
  expect(known).toEqual(expect.arrayContaining(Object.values(formerOptions)));
});

test('options are checked by their architecture, all faults at once', () => {
  expect(checkOptions(dot, {})).toEqual({ side: 32 });
  expect(() => checkOptions(dot, { side: 0, minSize: 3 })).toThrowError(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/side.*no option 'minSize'/) as string,
    }) as Error,
  );
});

test.each([false, true])(
  'anchors and the limit of objects are options that travel with weights (aligned %s)',
  (aligned) => {
    const small = findArchitecture(architectures, 'maskrcnn_small');
    const roiAlign = { aligned, samplingRatio: aligned ? 0 : 2 };
    const own = checkOptions(small, { anchorSizes: [8, 16, 32, 64, 96], detections: 7, roiAlign });
    const model = small.build({ numClasses: 4, options: own, random: new Random(1) }) as MaskRCNN;
    expect(profileOf(small, model, own, { source: 'test', classes: undefined }).options).toMatchObject({
      anchorSizes: [8, 16, 32, 64, 96],
      detections: 7,
    });
    const { lattice } = (model.rpn as unknown as { readonly anchorGenerator: { readonly lattice: AnchorLattice } })
      .anchorGenerator;
    const areas = lattice.baseAnchors.map(([x1, y1, x2, y2]) => (x2! - x1!) * (y2! - y1!));
    // Corners at whole pixels, in torchvision's way, move a side of 8 by one at most.
    areas.forEach((area, level) => expect(Math.abs(Math.sqrt(area) - [8, 16, 32, 64, 96][level]!)).toBeLessThan(1));
    const { branches } = model.roiHeads as unknown as {
      readonly branches: { readonly box: { readonly rules: { readonly limit: number } } };
    };
    expect(branches.box.rules.limit).toBe(7);
    model.dispose();
    expect(() => checkOptions(small, { anchorSizes: [8, 16] })).toThrowError(/anchorSizes/);
    expect(() => checkOptions(small, { detections: 0 })).toThrowError(/detections/);
  },
);

test('an R-CNN is built as its options say', () => {
  const small = findArchitecture(architectures, 'maskrcnn_small');
  const build = (own: Record<string, unknown>, more: object = {}): Detector =>
    small.build({ numClasses: 4, options: checkOptions(small, own), random: new Random(1), ...more });
  const plain = build({});
  expect(plain.spec).toMatchObject({ numClasses: 4, input: { resize: { minSize: 128, maxSize: 192 } } });
  const input = {
    ...plain.spec.input,
    mean: [0.1, 0.2, 0.3],
    resize: { rule: 'torchvision', minSize: 64, maxSize: 96 },
  };
  const own = build({ minSize: [32, 64], roisPerImage: 8 }, { input });
  expect(own.spec.input).toMatchObject({
    mean: [0.1, 0.2, 0.3],
    resize: { minSize: 64, maxSize: 96, trainingSizes: [32, 64] },
  });
  const zooming = build({ trainMinSize: 32 }, { input });
  expect(zooming.spec.input.resize).toMatchObject({ minSize: 64, maxSize: 96, trainingSizes: [32] });
  zooming.dispose();
  const size = { batchSize: 2, imageSize: [64, 96], slots: 1 } as const;
  expect(own.spec.bytesOfStep!(size)).toBeLessThan(plain.spec.bytesOfStep!(size));
  for (const resize of [{ rule: 'fixed', size: [64, 64] }]) {
    expect(() => build({}, { input: { ...input, resize } })).toThrowError(/rule 'fixed'.*torchvision's rule/);
  }
  own.dispose();
  plain.dispose();
});

test('the semantic branch of a Hybrid Task Cascade is an option that travels with weights', () => {
  const small = findArchitecture(architectures, 'htc_small');
  const cases: readonly (readonly [object, number | undefined])[] = [
    [{}, 4],
    [{ semanticClasses: 7, detections: 5 }, 7],
    [{ semanticClasses: 0 }, undefined],
  ];
  for (const [options, places] of cases) {
    const own = checkOptions(small, { ...options });
    const model = small.build({ numClasses: 4, options: own, random: new Random(1) });
    const weight = model.namedParameters().get('roi_heads.semantic_head.conv_logits.weight');
    expect(weight?.shape.at(-1)).toBe(places);
    expect(model.spec.finds).toEqual(['boxes', 'masks']);
    expect(profileOf(small, model, own, { source: 'a test' }).options).toMatchObject(options);
    model.dispose();
  }
  expect(() => checkOptions(small, { roiAlign: { aligned: true, samplingRatio: 0 } })).toThrowError(/no option/);
});

test('a RetinaNet and a YOLACT++ by name: their options, and their files are known again', async () => {
  const cases: readonly (readonly [string, string, object])[] = [
    ['retinanet_resnet18_fpn', 'head.classification_head.cls_logits.weight', { anchorSizes: [8, 16, 32, 64, 96] }],
    ['yolact_plus_resnet18_fpn', 'maskiou_net.maskiou_net.10.weight', { imageSize: 256 }],
  ];
  for (const [name, predictor, options] of cases) {
    const found = findArchitecture(architectures, name);
    const own = checkOptions(found, { ...options });
    const model = found.build({ numClasses: 4, options: own, random: new Random(1) });
    expect(model.spec.isPredictor(predictor)).toBe(true);
    expect(profileOf(found, model, own, { source: 'a test' }).options).toMatchObject(options);
    const weights = memorySource([...(await stateDict(model)).values()], 'bare');
    expect(architectures.filter(({ recognise }) => recognise?.(weights)).map((known) => known.name)).toEqual([name]);
    expect(found.classesOf?.(weights)).toBe(4);
    model.dispose();
  }
  expect(findArchitecture(architectures, 'retinanet_small').learnsFrom).toEqual([]);
  expect(findArchitecture(architectures, 'yolact_plus_small').optionSchema.parse({})).toMatchObject({ squarePriors: false }); // biome-ignore format: one line
});

test('from nothing everything learns; with weights three stages do, unless told otherwise', () => {
  const small = findArchitecture(architectures, 'maskrcnn_small');
  const frozen = (fromNothing: boolean, options: object = {}): boolean => {
    const training = { fromNothing, resizes: true };
    const model = small.build({ numClasses: 3, options: checkOptions(small, { ...options }), training });
    const found = [...model.namedParameters()].some(([name, p]) => name.endsWith('conv1.weight') && !p.trainable);
    model.dispose();
    return found;
  };
  expect([frozen(true), frozen(false), frozen(false, { trainableStages: 5 })]).toEqual([false, true, false]);
});

test('every norm that learns from batches is made as it was asked for', () => {
  const smalls = architectures.filter(({ name }) => name.endsWith('_small')).map(({ name }) => name);
  const others = [
    'maskrcnn_resnet18_fpn_v2',
    'retinanet_resnet18_fpn_v2',
    'maskrcnn_mobilenet_v3_large_320_fpn',
    'maskrcnn_vgg16_bn',
  ];
  for (const name of [...smalls, ...others, 'fasterrcnn_resnet18_c4']) {
    const architecture = findArchitecture(architectures, name);
    let made = 0;
    const batchNorm = (channels: number, options?: object): BatchNorm => {
      made++;
      return new BatchNorm(channels, options);
    };
    const training = { fromNothing: true, resizes: true, batchNorm };
    const options = checkOptions(architecture, {});
    const model = withoutInitialising(() => architecture.build({ numClasses: 3, options, training }));
    const parameters = model.namedParameters();
    const learning = [...parameters.keys()].filter((parameter) => {
      const [, norm] = /^(.*)\.running_mean$/.exec(parameter) ?? [];
      return norm !== undefined && parameters.get(`${norm}.weight`)!.learnable;
    });
    expect({ name, learning: learning.length }).toEqual({ name, learning: made });
    expect(made).toBeGreaterThan(5);
    model.dispose();
  }
}, 60_000);

describe('checkpoints', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'models-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a file with a profile gives the same detector again; other classes start afresh', async () => {
    const model = dot.build({ numClasses: 3, options: checkOptions(dot, { side: 48 }), random: new Random(1) });
    const classes = [{ label: 1, categoryId: 7, name: 'spot' }];
    const profile = profileOf(dot, model, { side: 48, speed: 2 }, { source: 'a test', classes });
    expect(profile).toMatchObject({ architecture: 'dot', options: { side: 48 }, numClasses: 3, classes });
    expect(profile.options).not.toHaveProperty('speed'); // weights do not depend on it
    const file = join(folder, 'dot.safetensors');
    await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile });

    const loaded = await loadDetector(file, { architectures: withDot });
    expect(loaded.architecture).toBe(dot);
    expect(loaded.model.spec.input.resize).toEqual({ rule: 'fixed', size: [48, 48] });
    for (const [name, { value }] of loaded.model.namedParameters()) {
      expectClose(value, model.namedParameters().get(name)!.value, { absolute: 0, relative: 0 });
    }
    loaded.model.dispose();
    await expect(loadDetector(file)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', place: 'dot' });
    await expect(loadDetector(file, { architectures: withDot, arch: 'maskrcnn_small' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expectNoLeak(() =>
      expect(loadDetector(file, { architectures: withDot, options: { size: 3 } })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      }),
    );
    model.dispose();
  });

  test('a YOLACT under its authors’ names is recognised, with its classes, and its profile keeps what they say', async () => {
    const net = findArchitecture(architectures, 'yolact_resnet18_fpn');
    const own = { imageSize: 64, squarePriors: false, priorScales: [4, 8, 16, 32, 64] };
    const model = net.build({ numClasses: 4, options: checkOptions(net, own), random: new Random(1) });
    const profile = profileOf(net, model, own, { source: 'a test' });
    expect(profile.options).toMatchObject(own);
    const tensors = [...(await stateDict(model)).values()];
    const theirs = tensors.map((entry) => ({ ...entry, name: authorsName(entry.name) }));
    expect(theirs.map(({ name }) => name)).toContain('fpn.lat_layers.2.weight');
    const weights = memorySource(theirs, 'yolact.pth');
    const loaded = await detectorFromCheckpoint({ weights, profile: undefined });
    expect([loaded.architecture.name, loaded.model.spec.numClasses, loaded.report.loaded.length]).toEqual([
      'yolact_resnet18_fpn',
      4,
      tensors.length,
    ]);
    expect(loaded.model.spec.input.resize).toEqual({ rule: 'fixed', size: [550, 550] });
    const again = await detectorFromCheckpoint({ weights: memorySource(tensors, 'ours'), profile });
    expect(again.model.spec.input.resize).toEqual({ rule: 'fixed', size: [64, 64] });
    const others = await detectorFromCheckpoint({ weights, profile: undefined }, { numClasses: 2 });
    expect(others.report.skipped).toEqual([
      'prediction_layers.0.conf_layer.weight',
      'prediction_layers.0.conf_layer.bias',
      'semantic_seg_conv.weight',
      'semantic_seg_conv.bias',
    ]);
    const input = { ...profile.input, resize: { rule: 'torchvision', minSize: 64, maxSize: 96 } } as const;
    await expect(detectorFromCheckpoint({ weights, profile: { ...profile, input } })).rejects.toMatchObject({
      code: 'CHECKPOINT_MISMATCH',
    });
    for (const { model: built } of [loaded, again, others]) built.dispose();
    model.dispose();
  });

  test('a file without a profile is recognised by its tensors', async () => {
    const small = findArchitecture(architectures, 'fasterrcnn_resnet18_fpn');
    const model = small.build({ numClasses: 3, options: checkOptions(small, {}), random: new Random(1) });
    const weights = memorySource([...(await stateDict(model)).values()], 'bare');
    model.dispose();
    const loaded = await detectorFromCheckpoint({ weights, profile: undefined });
    expect([loaded.architecture.name, loaded.model.spec.numClasses]).toEqual(['fasterrcnn_resnet18_fpn', 3]);
    loaded.model.dispose();
    const some = memorySource([...weights.tensors.values()].slice(0, 5), 'cut');
    await expect(detectorFromCheckpoint({ weights: some, profile: undefined })).rejects.toMatchObject({
      code: 'CHECKPOINT_MISMATCH',
    });
  });
});

/** What the authors of YOLACT call a tensor of ours. */
function authorsName(name: string): string {
  return name
    .replace(/^backbone\.body\.layer(\d)\./, (_, stage: string) => `backbone.layers.${Number(stage) - 1}.`)
    .replace(/^backbone\.body\./, 'backbone.')
    .replace(/^backbone\.fpn\.inner_blocks\.(\d)\.0\./, (_, level: string) => `fpn.lat_layers.${2 - Number(level)}.`)
    .replace(/^backbone\.fpn\.layer_blocks\.(\d)\.0\./, (_, level: string) => `fpn.pred_layers.${2 - Number(level)}.`)
    .replace(/^backbone\.fpn\.extra_blocks\.p(\d)\./, (_, p: string) => `fpn.downsample_layers.${Number(p) - 6}.`);
}

test('on a MobileNet six stages learn from nothing, and three from weights', () => {
  const mobile = findArchitecture(architectures, 'maskrcnn_mobilenet_v3_large_320_fpn');
  const first = (fromNothing: boolean): string => {
    const options = checkOptions(mobile, {});
    const model = mobile.build({ numClasses: 2, options, training: { fromNothing, resizes: true } });
    const name = [...model.namedParameters()].find(([, { trainable }]) => trainable)![0];
    model.dispose();
    return name;
  };
  expect(first(true)).toBe('backbone.body.0.0.weight');
  expect(first(false)).toMatch(/^backbone\.body\.7\./);
  expect(() => checkOptions(mobile, { strideIn: '1x1' })).toThrow('strideIn');
  expect(checkOptions(mobile, { trainableStages: 6 })).toMatchObject({ trainableStages: 6 });
});
