import { GroupNorm, type Parameter, useEngine } from '@rcnn/core';
import { LetterboxTransform } from '@rcnn/detector';
import { openOnnxModel } from '@rcnn/tfjs-backend-onnxruntime/model';
import {
  cascadeMaskRcnnResnetFpn,
  type FasterRCNN,
  keypointRcnnResnetFpn,
  maskRcnnResnetFpn,
  type RecipeOptions,
} from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../src/format/encode.ts';
import { exportOnnx, OnnxDetector, readDescription } from '../src/index.ts';
import { tiny } from './support/models.ts';

beforeAll(() => useEngine('onnxruntime'));

const small = (options: RecipeOptions = {}): FasterRCNN => maskRcnnResnetFpn({ ...tiny(1), numClasses: 2, ...options });

const unsupported: Readonly<Record<string, readonly [make: () => FasterRCNN, said: RegExp]>> = {
  'key points': [() => keypointRcnnResnetFpn({ ...tiny(1), keypointChannels: [8] }), /KeypointBranch/],
  'a cascade': [() => cascadeMaskRcnnResnetFpn({ ...tiny(1), numClasses: 2 }), /CascadeHeads/],
  'group norm': [() => small({ norm: (channels) => new GroupNorm(channels, { groups: 4 }) }), /GroupNorm/],
  'another rule of resizing': [() => small({ transform: new LetterboxTransform({ size: [64, 64] }) }), /letterbox/],
  'anchors of no lattice': [
    () => small({ rpnAnchorGenerator: { anchorsPerCell: [3, 3, 3, 3, 3], forward: () => [] } }),
    /lattice/,
  ],
};

test.each(Object.entries(unsupported))('%s cannot be exported, and nothing is left', async (_what, [make, said]) => {
  const before = tf.memory().numTensors;
  const model = make();
  const error = await exportOnnx(model).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'EXPORT_UNSUPPORTED' });
  expect((error as Error).message).toMatch(said);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a block of the model’s own that has no toGraph is named', async () => {
  class OwnHead {
    readonly outFeatures = 8;
    forward(): never {
      throw new Error('not called');
    }
    namedParameters(): Map<string, Parameter> {
      return new Map();
    }
    dispose(): void {}
  }
  const model = small({ boxHead: new OwnHead() });
  await expect(exportOnnx(model)).rejects.toMatchObject({ code: 'EXPORT_UNSUPPORTED', place: 'OwnHead' });
  model.dispose();
});

test('weights that are no numbers, or no half floats, are named', async () => {
  const model = small();
  const [name, parameter] = [...model.namedParameters()].find(([key]) => key.endsWith('fc6.weight'))!;
  parameter.assign(tf.fill([...parameter.shape], 1e6));
  await expect(exportOnnx(model, { weights: 'float16' })).rejects.toMatchObject({
    code: 'EXPORT_UNSUPPORTED',
    place: name,
  });
  parameter.assign(tf.fill([...parameter.shape], Number.NaN));
  await expect(exportOnnx(model)).rejects.toMatchObject({ code: 'NON_FINITE', place: name });
  model.dispose();
});

test.each([15, 22, 17.5, Number.NaN])('opset %d is refused', async (opset) => {
  const model = small();
  await expect(exportOnnx(model, { opset })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', place: 'opset' });
  model.dispose();
});

test('bytes that are no ONNX model, or one of another program, are refused by name', async () => {
  const cut = Uint8Array.from([0x3a, 0xff, 0x01, 0, 0]); // a graph of 255 bytes, of which there are two
  expect(() => readDescription(cut, 'cut.onnx')).toThrow(/cut\.onnx.*cut off/);
  const foreign = await encodeModel({
    name: 'g',
    about: '',
    producer: 'somebody',
    opset: 17,
    nodes: [],
    constants: [],
    inputs: [],
    outputs: [],
    metadata: {},
  });
  await expect(OnnxDetector.open(foreign, openOnnxModel, { name: 'theirs.onnx' })).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    where: 'theirs.onnx',
  });
});

describe('a file that says one thing and holds another', () => {
  const image = { data: new Uint8Array(12), height: 2, width: 2, channels: 3 } as const;
  let good: Uint8Array;
  let description: object;
  beforeAll(async () => {
    const model = small();
    good = await exportOnnx(model);
    description = readDescription(good, 'good.onnx');
    model.dispose();
  });

  /** A model that hands its image on, with a description. */
  const withDescription = (changes: object, output = 'same'): Promise<Uint8Array> =>
    encodeModel({
      name: 'g',
      about: '',
      producer: 'mask-rcnn',
      opset: 17,
      nodes: [{ op: 'Identity', inputs: ['image'], outputs: [output], attributes: {} }],
      constants: [],
      inputs: [{ name: 'image', type: 'float32', shape: [3, 'height', 'width'] }],
      outputs: [{ name: output, type: 'float32', shape: [3, 'height', 'width'] }],
      metadata: { 'mask-rcnn': JSON.stringify({ ...description, ...changes }) },
    });

  test.each([
    ['part', 7],
    ['finds', undefined],
    ['finds', ['keypoints']],
    ['finds', 'masks'],
    ['numClasses', '2'],
    ['numClasses', -1],
    ['classes', [{ label: 1, name: 2 }]],
    ['architecture', {}],
    ['input', null],
    ['input', { resize: { rule: 'torchvision', minSize: 1, maxSize: 'x' } }],
    ['maskPaste', 'theirs'],
    ['scoreThreshold', '0.5'],
    ['scoreThreshold', null],
    ['detectionsPerImage', 0],
  ])('%s: %j is refused by the name of its field', async (field, value) => {
    const bytes = await withDescription({ [field]: value });
    await expect(OnnxDetector.open(bytes, openOnnxModel, { name: 'x.onnx' })).rejects.toMatchObject({
      code: 'FILE_MALFORMED',
      where: 'x.onnx',
      place: expect.stringMatching(new RegExp(`^mask-rcnn/${field}`)),
    });
  });

  test('a graph that is damaged', async () => {
    const damaged = good.slice();
    // The graph is by far the longest field: its second half is weights, its beginning the nodes.
    damaged.fill(0xff, 200, 400);
    expect(readDescription(damaged, 'x.onnx')).toEqual(description);
    await expect(OnnxDetector.open(damaged, openOnnxModel, { name: 'x.onnx' })).rejects.toMatchObject({
      code: 'FILE_MALFORMED',
      where: 'x.onnx',
      message: expect.stringMatching(/the engine cannot read the model/),
      found: expect.stringMatching(/^Failed to load model/),
    });
  });

  test('a graph without what it should find', async () => {
    const detector = await OnnxDetector.open(await withDescription({}), openOnnxModel, { name: 'x.onnx' });
    await expect(detector.detect([image])).rejects.toMatchObject({ code: 'FILE_MALFORMED', where: 'x.onnx' });
    detector.dispose();
    await expect(detector.detect([image])).rejects.toMatchObject({ code: 'DISPOSED' });
    detector.dispose();
  });

  test('outputs of other shapes', async () => {
    const detector = await OnnxDetector.open(await withDescription({ finds: ['boxes'] }, 'boxes'), openOnnxModel);
    await expect(detector.detect([image])).rejects.toMatchObject({ code: 'FILE_MALFORMED', found: 'boxes [3, 2, 2]' });
    detector.dispose();
  });

  test('an engine that does not load is no fault of the file', async () => {
    const missing = Object.assign(new Error('the library does not load'), { code: 'NATIVE_MISSING' });
    const open = () => Promise.reject(missing);
    const wanted = { code: 'ENGINE_MISSING', message: 'x.onnx: the library does not load.' };
    await expect(OnnxDetector.open(good, open, { name: 'x.onnx' })).rejects.toMatchObject(wanted);
  });
});
