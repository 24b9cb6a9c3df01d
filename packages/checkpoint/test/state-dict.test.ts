import { join } from 'node:path';
import { Conv2d, ConvTranspose2d, Linear, Module, Parameter, type ParameterOwner } from '@rcnn/core';
import { Random } from '@rcnn/core/random';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import {
  type LoadReport,
  loadStateDict,
  memoryEntry,
  memorySource,
  safetensorsFile,
  stateDict,
  type TensorEntry,
} from '../src/index.ts';
import { atomicWrite, openTensorFile } from '../src/node/index.ts';
import { expectReject, randomTensor, temporaryDirectory } from './helpers.ts';

beforeAll(() => void tf.setBackend('cpu'));

/** A module with one parameter of each layout, none of them square. */
class Zoo extends Module {
  constructor() {
    super();
    const zeros = (shape: number[]) => tf.zeros(shape);
    this.register('conv.weight', new Parameter(zeros([3, 2, 5, 4]), { layout: 'conv' })); // H W I O
    this.register('up.weight', new Parameter(zeros([2, 3, 4, 5]), { layout: 'transposedConv' })); // H W O I
    this.register('fc.weight', new Parameter(zeros([3, 4]), { layout: 'linear' })); // I O
    this.register('fc6.weight', new Parameter(zeros([30, 7]), { layout: { height: 2, width: 3, channels: 5 } }));
    this.register('bn.running_mean', new Parameter(zeros([4]), { learnable: false }));
  }
}

const stored: Record<string, number[]> = {
  'conv.weight': [4, 5, 3, 2],
  'up.weight': [5, 4, 2, 3],
  'fc.weight': [4, 3],
  'fc6.weight': [7, 30],
  'bn.running_mean': [4],
};

function zooTensors(): TensorEntry[] {
  return Object.entries(stored).map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return memoryEntry(
      name,
      'float32',
      shape,
      Float32Array.from({ length: count }, (_, i) => i),
    );
  });
}

function valueAt(zoo: ParameterOwner, name: string, index: number[]): number {
  const { value } = zoo.namedParameters().get(name)!;
  const flat = index.reduce((at, i, axis) => at * value.shape[axis]! + i, 0);
  return value.dataSync()[flat]!;
}

test('each layout puts PyTorch numbers where they belong', async () => {
  const zoo = new Zoo();
  await loadStateDict(zoo, memorySource(zooTensors()));
  const { random } = { random: new Random(5) };
  for (let run = 0; run < 200; run++) {
    const [h, w, i, o] = [random.integer(3), random.integer(2), random.integer(5), random.integer(4)];
    expect(valueAt(zoo, 'conv.weight', [h, w, i, o])).toBe(((o * 5 + i) * 3 + h) * 2 + w);
    const [uh, uw, uo, ui] = [random.integer(2), random.integer(3), random.integer(4), random.integer(5)];
    expect(valueAt(zoo, 'up.weight', [uh, uw, uo, ui])).toBe(((ui * 4 + uo) * 2 + uh) * 3 + uw);
    const [fi, fo] = [random.integer(3), random.integer(4)];
    expect(valueAt(zoo, 'fc.weight', [fi, fo])).toBe(fo * 3 + fi);
    const [y, x, c, out] = [random.integer(2), random.integer(3), random.integer(5), random.integer(7)];
    // ours is the row (y, x, c) of a channels-last map, theirs the column (c, y, x)
    expect(valueAt(zoo, 'fc6.weight', [(y * 3 + x) * 5 + c, out])).toBe(out * 30 + (c * 2 + y) * 3 + x);
  }
  zoo.dispose();
});

test('what is loaded comes out of stateDict bit for bit', async () => {
  const zoo = new Zoo();
  const tensors = Object.entries(stored).map(([name, shape]) => randomTensor(name, shape));
  await loadStateDict(zoo, memorySource(tensors));
  const out = await stateDict(zoo);
  for (const tensor of tensors) {
    expect(out.get(tensor.name)!.shape).toEqual(tensor.shape);
    expect(await out.get(tensor.name)!.read()).toEqual(await tensor.read());
  }
  zoo.dispose();
});

test('the layers of core compute with loaded weights what PyTorch computes', async () => {
  // torch.nn.functional on the same integers, worked out by hand for one output each
  const conv = new Conv2d(2, 1, { kernelSize: 2, padding: 0 });
  const weight = memoryEntry('weight', 'float32', [1, 2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const bias = memoryEntry('bias', 'float32', [1], Float32Array.of(0.5));
  await loadStateDict(conv, memorySource([weight, bias]));
  const x = tf.tensor4d([1, 10, 2, 20, 3, 30, 4, 40], [1, 2, 2, 2]); // channel 0: 1 2 3 4, channel 1: 10 20 30 40
  expectClose(conv.forward(x), [1 + 4 + 9 + 16 + 50 + 120 + 210 + 320 + 0.5]);
  const linear = new Linear(2, 2);
  await loadStateDict(
    linear,
    memorySource([
      memoryEntry('weight', 'float32', [2, 2], Float32Array.of(1, 2, 3, 4)),
      memoryEntry('bias', 'float32', [2], Float32Array.of(0, 0)),
    ]),
  );
  expectClose(linear.forward(tf.tensor2d([[10, 1]])), [12, 34]); // x W^T
  const up = new ConvTranspose2d(1, 1, { kernelSize: 2, stride: 2 });
  const kernel = memoryEntry('weight', 'float32', [1, 1, 2, 2], Float32Array.of(1, 2, 3, 4));
  await loadStateDict(up, memorySource([kernel, memoryEntry('bias', 'float32', [1], Float32Array.of(0))]));
  expectClose(up.forward(tf.tensor4d([2], [1, 1, 1, 1])), [2, 4, 6, 8]); // no flip
});

test('half, brain, double and whole numbers become float32', async () => {
  const load = async (entry: TensorEntry): Promise<number[]> => {
    const owner = { namedParameters: () => new Map([['x', new Parameter(tf.zeros([entry.shape[0]!]))]]) };
    const parameters = owner.namedParameters();
    await loadStateDict({ namedParameters: () => parameters }, memorySource([entry]), { allowNonFinite: true });
    return [...parameters.get('x')!.value.dataSync()];
  };
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x7c00, 0x7e00, 0x3555);
  expect(await load(memoryEntry('x', 'float16', [8], halves))).toEqual([
    1,
    -2,
    2 ** -24,
    -0,
    65504,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    0.333251953125,
  ]);
  expect(await load(memoryEntry('x', 'bfloat16', [3], Uint16Array.of(0x3f80, 0xc040, 0x7f7f)))).toEqual([
    1, -3, 3.3895313892515355e38,
  ]);
  expect(await load(memoryEntry('x', 'float64', [2], Float64Array.of(0.1, -1e10)))).toEqual([Math.fround(0.1), -1e10]);
  expect(await load(memoryEntry('x', 'int64', [2], BigInt64Array.of(-3n, 1n << 40n)))).toEqual([-3, 2 ** 40]);
  expect(await load(memoryEntry('x', 'int16', [2], Int16Array.of(-3, 7)))).toEqual([-3, 7]);
  expect(await load(memoryEntry('x', 'bool', [2], Uint8Array.of(0, 1)))).toEqual([0, 1]);
});

test('missing, unexpected and mis-shaped tensors are all listed, and nothing is loaded', async () => {
  const zoo = new Zoo();
  const tensors = zooTensors().filter(({ name }) => name !== 'up.weight' && name !== 'conv.weight');
  const source = memorySource([
    ...tensors,
    randomTensor('conv.weight', [4, 5, 2, 3]),
    randomTensor('stray', [1]),
    randomTensor('bn.num_batches_tracked', []),
  ]);
  const error = await expectReject(loadStateDict(zoo, source), 'CHECKPOINT_MISMATCH', 'up.weight');
  expect(error.found).toBe(
    '1 missing: up.weight; 1 unexpected: stray; 1 of another shape: conv.weight [4,5,2,3], not [4,5,3,2]',
  );
  const report = error.cause as LoadReport;
  expect(report.missing).toEqual(['up.weight']);
  expect(report.unexpected).toEqual(['stray']);
  expect(report.misshaped).toEqual([{ name: 'conv.weight', found: [4, 5, 2, 3], expected: [4, 5, 3, 2] }]);
  expect(valueAt(zoo, 'fc.weight', [0, 1])).toBe(0);
  zoo.dispose();
});

test('long lists are cut in the message and whole in the cause', async () => {
  const source = memorySource(Array.from({ length: 50 }, (_, i) => randomTensor(`extra.${i}`, [1])));
  const error = await expectReject(loadStateDict(new Zoo(), source), 'CHECKPOINT_MISMATCH', 'extra.2, and 47 more');
  expect((error.cause as LoadReport).unexpected).toHaveLength(50);
  expect(error.hint).toContain('another architecture');
});

test('strict: false loads what fits and says what did not; a wrong shape is still an error', async () => {
  const zoo = new Zoo();
  const [first] = zooTensors();
  const report = await loadStateDict(zoo, memorySource([first!, randomTensor('stray', [1])]), { strict: false });
  expect(report.loaded).toEqual(['conv.weight']);
  expect(report.missing).toHaveLength(4);
  expect(report.unexpected).toEqual(['stray']);
  const wrong = memorySource([randomTensor('conv.weight', [1])]);
  await expectReject(loadStateDict(zoo, wrong, { strict: false }), 'CHECKPOINT_MISMATCH', 'conv.weight');
  zoo.dispose();
});

/** Parameters by name and shape, as they are in the owner. */
function owner(shapes: Record<string, number[]>): ParameterOwner {
  const parameters = new Map(Object.entries(shapes).map(([name, shape]) => [name, new Parameter(tf.zeros(shape))]));
  return { namedParameters: () => parameters, dispose: () => parameters.forEach((parameter) => parameter.dispose()) };
}

test('a model for other classes takes everything but the predictors', async () => {
  const model = owner({
    'backbone.x': [2],
    'roi_heads.box_predictor.cls_score.weight': [3],
    'roi_heads.mask_predictor.mask_fcn_logits.bias': [2],
  });
  const source = memorySource([
    randomTensor('backbone.x', [2]),
    randomTensor('roi_heads.box_predictor.cls_score.weight', [91]),
    randomTensor('roi_heads.mask_predictor.mask_fcn_logits.bias', [91]),
  ]);
  const error = await expectReject(loadStateDict(model, source), 'CHECKPOINT_MISMATCH');
  expect(error.hint).toContain('newPredictors');
  const report = await loadStateDict(model, source, { newPredictors: true });
  expect(report.loaded).toEqual(['backbone.x']);
  expect(report.skipped).toHaveLength(2);
});

test('names of older torchvision releases are found', async () => {
  const names: [string, string][] = [
    ['backbone.fpn.inner_blocks.0.weight', 'backbone.fpn.inner_blocks.0.0.weight'],
    ['backbone.fpn.layer_blocks.3.bias', 'backbone.fpn.layer_blocks.3.0.bias'],
    ['rpn.head.conv.weight', 'rpn.head.conv.0.0.weight'],
    ['roi_heads.mask_head.mask_fcn1.weight', 'roi_heads.mask_head.0.0.weight'],
    ['roi_heads.mask_head.mask_fcn4.bias', 'roi_heads.mask_head.3.0.bias'],
  ];
  const model = owner(Object.fromEntries(names.map(([, now]) => [now, [2]])));
  const report = await loadStateDict(model, memorySource(names.map(([old]) => randomTensor(old, [2]))));
  expect(report.loaded).toEqual(names.map(([, now]) => now));
  // today's names stay as they are, and a name given both ways is not taken twice
  expect(
    (await loadStateDict(model, memorySource(names.map(([, now]) => randomTensor(now, [2]))))).loaded,
  ).toHaveLength(5);
  const both = memorySource(names.flatMap((pair) => pair.map((name) => randomTensor(name, [2]))));
  await expectReject(loadStateDict(model, both), 'CHECKPOINT_MISMATCH', '5 unexpected');
});

test('from a file, whose tensors are read into the same memory, a model has what it has from memory', async () => {
  const tensors = Object.entries(stored).map(([name, shape]) => randomTensor(name, shape));
  const path = join(temporaryDirectory(), 'zoo.safetensors');
  await atomicWrite(path, safetensorsFile(tensors).chunks());
  const [fromMemory, fromFile] = [new Zoo(), new Zoo()];
  await loadStateDict(fromMemory, memorySource(tensors));
  const source = await openTensorFile(path);
  await loadStateDict(fromFile, source);
  await source.close();
  for (const [name, { value }] of fromMemory.namedParameters()) {
    expect(fromFile.namedParameters().get(name)!.value.dataSync(), `parameter ${name}`).toEqual(value.dataSync());
  }
});

test('a prefix and a pattern choose a backbone out of a file', async () => {
  const model = owner({ 'conv1.weight': [2] });
  const detector = memorySource([randomTensor('backbone.body.conv1.weight', [2]), randomTensor('rpn.x', [1])]);
  expect((await loadStateDict(model, detector, { prefix: 'backbone.body.' })).loaded).toEqual(['conv1.weight']);
  const classifier = memorySource([randomTensor('conv1.weight', [2]), randomTensor('fc.bias', [1000])]);
  expect((await loadStateDict(model, classifier, { ignore: /^fc\./ })).unexpected).toEqual([]);
  const parallel = memorySource([randomTensor('module.conv1.weight', [2])]);
  expect((await loadStateDict(model, parallel)).loaded).toEqual(['conv1.weight']);
});

test.each([
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
])('%s among the weights is named by tensor and index, and nothing is loaded', async (_, bad) => {
  const model = owner({ a: [2], b: [4] });
  const source = memorySource([
    randomTensor('a', [2]),
    memoryEntry('b', 'float32', [4], Float32Array.of(0, 1, bad, bad)),
  ]);
  await expectReject(loadStateDict(model, source), 'NON_FINITE', "tensor 'b', index 2");
  expect([...model.namedParameters().get('a')!.value.dataSync()]).toEqual([0, 0]);
  await loadStateDict(model, source, { allowNonFinite: true });
  expect(model.namedParameters().get('b')!.value.dataSync()[2]).toBe(bad);
});

test('weights of a type without plain numbers are refused', async () => {
  const source = memorySource([memoryEntry('a', 'complex64', [2], new Float32Array(4))]);
  await expectReject(loadStateDict(owner({ a: [2] }), source), 'CHECKPOINT_MISMATCH', 'complex64');
});

test('loading and reading a state dict keep no tensor', async () => {
  const zoo = new Zoo();
  const bad = memorySource([memoryEntry('bn.running_mean', 'float32', [4], Float32Array.of(1, 2, 3, Number.NaN))]);
  await expectNoLeak(async () => {
    await loadStateDict(zoo, memorySource(zooTensors()));
    await stateDict(zoo);
    await loadStateDict(zoo, bad, { strict: false }).catch(() => undefined);
  });
  zoo.dispose();
});
