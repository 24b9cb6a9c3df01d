import { Module, Parameter } from '@rcnn/core';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import {
  besideModel,
  bytesSource,
  convertForeign,
  loadBackbone,
  loadStateDict,
  memoryEntry,
  memorySource,
  modelTensors,
  normaliseTensors,
  openTensors,
  refuseUnknown,
  type TensorEntry,
} from '../src/index.ts';
import { nonFiniteTensors } from '../src/state-dict/non-finite.ts';
import { archive, concat, P, pickle, tensorPickle } from './forge.ts';
import { expectReject, rejection } from './helpers.ts';

beforeAll(() => void tf.setBackend('cpu'));

/** A checkpoint that holds one tensor at each of these places. */
const saved = async (tree: Record<string, Uint8Array>) =>
  openTensors(bytesSource(archive(pickle(P.dict(tree))), 'a.pth'));
const state = (...names: string[]): Uint8Array =>
  P.dict(Object.fromEntries(names.map((name) => [name, tensorPickle()])));
const names = ['backbone.w', 'head.w'];

const wrapped: [string, Record<string, Uint8Array>][] = [
  ['plain', { 'backbone.w': tensorPickle(), 'head.w': tensorPickle() }],
  ['Lightning', { state_dict: state('model.backbone.w', 'model.head.w'), epoch: P.int(3) }],
  ['torch.compile', { '_orig_mod.backbone.w': tensorPickle(), '_orig_mod.head.w': tensorPickle() }],
  ['torch.compile under DDP', { model: state('module._orig_mod.backbone.w', 'module._orig_mod.head.w') }],
  ['DDP under torch.compile', { model: state('_orig_mod.module.backbone.w', '_orig_mod.module.head.w') }],
  [
    'Lightning around DDP around compile',
    { state_dict: state('model.module._orig_mod.backbone.w', 'model.module._orig_mod.head.w') },
  ],
  ['DDP with optimizer', { model: state('module.backbone.w', 'module.head.w'), optimizer: state('m') }],
  ['averages beside', { model: state('backbone.w', 'head.w'), model_ema: state('backbone.w', 'head.w') }],
  [
    'AveragedModel',
    { 'module.backbone.w': tensorPickle(), 'module.head.w': tensorPickle(), n_averaged: tensorPickle() },
  ],
  ['Lightning with averages inside', { state_dict: state('model.backbone.w', 'model.head.w', 'model_ema.backbone.w') }],
];

test.each(wrapped)('%s: the names are those of the model', async (_, tree) => {
  expect([...modelTensors(await saved(tree)).tensors.keys()]).toEqual(names);
});

test('averaged weights are taken when asked for, and missed when they are not there', async () => {
  const both = await saved({ model: state('head.w'), model_ema: state('module.backbone.w', 'module.head.w') });
  expect([...modelTensors(both, { ema: true }).tensors.keys()]).toEqual(names);
  expect(normaliseTensors(both, { ema: true }).tensors.map(({ name }) => name)).toEqual(names);
  const alone = await saved({ model_ema: state(...names), n_averaged: tensorPickle() });
  expect((await rejection(() => modelTensors(alone))).message).toMatch(/--moving-average.*ema: true/);
  expect([...modelTensors(alone, { ema: true }).tensors.keys()]).toEqual(names);
  const none = await saved({ model: state(...names) });
  expect((await rejection(() => modelTensors(none, { ema: true }))).code).toBe('CHECKPOINT_MISMATCH');
});

test('mmengine changes averages and weights when it saves: the averages are those of the model', async () => {
  const value = (count: number) => P.dict({ 'backbone.w': tensorPickle({ shape: [count], strides: [1] }) });
  const file = (meta: Uint8Array) =>
    saved({
      meta,
      state_dict: value(1),
      ema_state_dict: P.dict({ 'module.backbone.w': tensorPickle(), steps: tensorPickle() }),
    });
  const shapeOf = (source: Awaited<ReturnType<typeof saved>>, ema: boolean) =>
    [...modelTensors(source, { ema }).tensors.values()].map(({ name, shape }) => [name, shape]);

  const mmengine = await file(P.dict({ mmengine_version: P.text('0.10.4') }));
  expect(shapeOf(mmengine, true)).toEqual([['backbone.w', [1]]]);
  expect(shapeOf(mmengine, false)).toEqual([['backbone.w', [1]]]);
  expect(besideModel(mmengine)).toEqual([
    "its weights are moving averages already, as mmengine saves them; the 2 tensors under 'ema_state_dict' that the training goes on with are not taken",
  ]);

  const others = await file(P.dict({ epoch: P.int(1) }));
  expect(shapeOf(others, true)).toEqual([
    ['module.backbone.w', [2, 3]],
    ['steps', [2, 3]],
  ]);
  expect(shapeOf(others, false)).toEqual([['backbone.w', [1]]]);
  expect(besideModel(others)).toEqual([expect.stringMatching(/2 tensors of averaged weights too.*--moving-average/)]);
});

const detector = ['backbone.w', 'rpn.w', 'roi_heads.w'];
const at = (prefix: string): string[] => detector.map((name) => prefix + name);

const deeper: [string, Record<string, Uint8Array>, RegExp[]][] = [
  ['Lightning’s own attribute', { state_dict: state(...at('net.')) }, []],
  [
    'beside a loss',
    { state_dict: state(...at('model.'), 'loss.weight', 'metric.total'), epoch: P.int(1) },
    [/2 tensors beside the model left out: state_dict\.loss\.weight, state_dict\.metric\.total/],
  ],
  ['under DeepSpeed’s key', { module: state(...at('_forward_module.')), optimizer: state('m') }, []],
  [
    'beside its averages, under a key of nobody’s',
    { my_net: state(...detector), ema: state(...detector) },
    [/3 tensors of averaged weights too.*--moving-average/],
  ],
  [
    'beside its averages',
    { model: state(...at('module.')), model_ema: state(...at('module.')) },
    [/3 tensors of averaged weights too/],
  ],
];

test.each(deeper)('a detector %s: found, and what is left out is said', async (_, tree, says) => {
  const source = await saved(tree);
  expect([...modelTensors(source).tensors.keys()]).toEqual(detector);
  expect(normaliseTensors(source).dropped).toHaveLength(source.tensors.size - detector.length);
  const sentences = besideModel(source);
  expect(sentences).toHaveLength(says.length);
  says.forEach((pattern, i) => expect(sentences[i]).toMatch(pattern));
});

test('of two detectors none is taken without being asked for', async () => {
  const both = await saved({ state_dict: state(...at('student.'), ...at('teacher.')) });
  expect(modelTensors(both).tensors.size).toBe(6);
});

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', P.dict({}), /holds no weights/],
  [
    'an optimizer',
    P.dict({ optimizer: state('state.0.exp_avg'), epoch: P.int(1) }),
    /holds no model.*optimizer\.state/,
  ],
  ['a list', P.list(tensorPickle(), tensorPickle()), /have no names.*2 tensors/],
  ['one tensor', tensorPickle(), /have no names.*1 tensor,/],
])('%s is no model, whatever it is asked for', async (_, root, says) => {
  const source = await openTensors(bytesSource(archive(pickle(root)), 'a.pth'));
  expect(() => modelTensors(source)).toThrow(says);
  expect(() => normaliseTensors(source)).toThrow(says);
});

test('options of a training do not keep its weights from being read', async () => {
  const call = (module: string, name: string, ...args: Uint8Array[]): Uint8Array =>
    concat(P.global(module, name), P.tuple(...args), P.reduce);
  const source = await saved({
    state_dict: state(...names),
    out: call('pathlib', 'PosixPath', P.text('runs')),
    began: call('datetime', 'datetime', P.text('0')),
    hyper_parameters: concat(
      call('lightning.fabric.utilities.data', 'AttributeDict'),
      P.dict({ lr: P.int(1) }),
      P.build,
    ),
  });
  expect([...modelTensors(source).tensors.keys()]).toEqual(names);
});

const called = (module: string, name: string, ...args: Uint8Array[]): Uint8Array =>
  concat(P.global(module, name), P.tuple(...args), P.reduce);
const float = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return concat(Uint8Array.of(0x47), bytes); // BINFLOAT
};

test.each<[string, Uint8Array]>([
  [
    'the version of PyTorch',
    concat(P.global('torch.torch_version', 'TorchVersion'), P.tuple(P.text('2.7.0+cu126')), P.newObject),
  ],
  [
    'a queue, and what is in it',
    concat(called('collections', 'deque', P.tuple(), P.int(5)), P.mark, P.int(1), tensorPickle(), Uint8Array.of(0x65)),
  ],
  ['a slice', called('__builtin__', 'slice', P.int(0), P.int(1), P.none)],
  ['a range, by Python 2’s name', called('__builtin__', 'xrange', P.int(0), P.int(3), P.int(1))],
  ['a range', called('builtins', 'range', P.int(0), P.int(3), P.int(1))],
  ['a complex number', called('__builtin__', 'complex', float(1), float(2))],
  ['no bytes', called('__builtin__', 'bytes')],
  ['bytes', called('builtins', 'bytes', P.list(P.int(1)))],
  [
    'types',
    P.list(...['tuple', 'str', 'unicode', 'bool', 'bytes', 'long', 'int'].map((name) => P.global('__builtin__', name))),
  ],
])('%s beside the weights does not matter', async (_, value) => {
  const source = await saved({ state_dict: state(...names), value });
  expect([...source.tensors.keys()]).toEqual(['state_dict.backbone.w', 'state_dict.head.w']);
});

test('an attribute of what is passed over is refused as before', async () => {
  const attribute = called('builtins', 'getattr', P.global('builtins', 'str'), P.text('mro'));
  await expectReject(saved({ state_dict: state(...names), x: attribute }), 'FILE_REFUSED', 'getattr');
});

test('objects of a training program beside the weights are passed over, and whatever they hold with them', async () => {
  const global = P.global('mmengine.logging.history_buffer', 'HistoryBuffer');
  const made = concat(global, P.tuple(), Uint8Array.of(0x81)); // NEWOBJ
  const method = concat(P.global('__builtin__', 'getattr'), P.tuple(global, P.text('mean')), P.reduce);
  const buffer = concat(
    made,
    P.dict({ history: array([1, 2], [2]), inside: tensorPickle(), statistics_methods: P.dict({ mean: method }) }),
    P.build,
  );
  const source = await saved({
    state_dict: state(...names),
    message_hub: P.dict({ log_scalars: P.dict({ loss: buffer }) }),
    callback: concat(P.global('pytorch_lightning.callbacks', 'Stop'), P.tuple(P.int(3)), P.reduce),
    priority: concat(P.global('mmengine.runner', 'Priority'), P.tuple(P.int(10)), P.reduce),
  });
  expect([...source.tensors.keys()].filter((name) => !name.startsWith('state_dict.'))).toEqual([]);
  expect([...modelTensors(source).tensors.keys()]).toEqual(names);
  expect(besideModel(source)).toEqual([]);
});

test.each([
  ['of an object that is kept', P.global('collections', 'OrderedDict')],
  ['of a text', P.text('posix')],
  ['of weights', tensorPickle()],
])('an attribute %s is refused', async (_, of) => {
  const made = concat(P.global('builtins', 'getattr'), P.tuple(of, P.text('mro')), P.reduce);
  const error = await rejection(saved({ state_dict: state(...names), x: made }));
  expect(error.code).toBe('FILE_REFUSED');
  expect(error.message).toMatch(/getattr/);
});

test('weights that are objects of a training program are none', async () => {
  const made = concat(P.global('mmdet.models', 'MaskRCNN'), P.tuple(), P.reduce);
  const source = await saved({ model: concat(made, P.dict({ weight: tensorPickle() }), P.build) });
  expect(() => modelTensors(source)).toThrow(/holds no weights/);
});

test('numbers that are none are counted by tensor', async () => {
  const float = (name: string, ...values: number[]): TensorEntry =>
    memoryEntry(name, 'float32', [values.length], Float32Array.from(values));
  const entries = [
    float('a', 1, Number.NaN, Number.POSITIVE_INFINITY),
    float('b', 1, 2),
    float('c', Number.NEGATIVE_INFINITY),
    memoryEntry('d', 'float16', [2], Uint16Array.of(0x7c00, 0x3c00)),
    memoryEntry('e', 'int32', [1], Int32Array.of(0x7f800000)),
  ];
  expect(await nonFiniteTensors(entries)).toEqual([
    { name: 'a', count: 2 },
    { name: 'c', count: 1 },
    { name: 'd', count: 1 },
  ]);
});

test('programs are refused by what they are', async () => {
  const refusals: [string, string, RegExp][] = [
    ['ultralytics.nn.tasks', 'SegmentationModel', /Ultralytics YOLO/],
    ['models.yolo', 'Model', /YOLOv5/],
    ['torchvision.models.detection.mask_rcnn', 'MaskRCNN', /whole module.*state_dict/],
    ['__main__', 'Net', /own program/],
  ];
  for (const [module, name, says] of refusals) {
    const error = await rejection(saved({ model: P.global(module, name) }));
    expect(error.code).toBe('FILE_REFUSED');
    expect(error.message).toMatch(says);
  }
});

// ---------------------------------------------------------------- numpy

const type = (code: string): Uint8Array =>
  concat(
    P.global('numpy', 'dtype'),
    P.tuple(P.text(code), P.false, Uint8Array.of(0x88)),
    P.reduce,
    P.tuple(P.int(3), P.text('<'), P.none, P.none, P.none, P.int(-1), P.int(-1), P.int(0)),
    P.build,
  );
const bytes = (data: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0x42), new Uint8Array(Uint32Array.of(data.length).buffer), data);

function array(values: readonly number[], shape: readonly number[], columnMajor = false): Uint8Array {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  const order = columnMajor ? Uint8Array.of(0x88) : P.false;
  return concat(
    P.global('numpy.core.multiarray', '_reconstruct'),
    P.tuple(P.global('numpy', 'ndarray'), P.tuple(P.int(0)), bytes(Uint8Array.of(0x62))),
    P.reduce,
    P.tuple(P.int(1), P.tuple(...shape.map(P.int)), type('f4'), order, bytes(data)),
    P.build,
  );
}

const numbersOf = async (file: Uint8Array, name: string): Promise<number[]> => {
  const source = await openTensors(bytesSource(file, 'm.pkl'));
  return [...new Float32Array((await source.tensors.get(name)!.read()).buffer)];
};

test('a pickle of numpy arrays is read, by rows and by columns', async () => {
  const file = pickle(
    P.dict({
      model: P.dict({ a: array([1, 2, 3, 4, 5, 6], [2, 3]), b: array([1, 2, 3, 4, 5, 6], [2, 3], true) }),
      __author__: P.text('me'),
    }),
  );
  expect(await numbersOf(file, 'model.a')).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await numbersOf(file, 'model.b')).toEqual([1, 3, 5, 2, 4, 6]);
  expect((await openTensors(bytesSource(file))).metadata.get('__author__')).toBe('me');
});

test('an array that its bytes do not fill is refused, and so is a call that is none of numpy’s', async () => {
  await expectReject(openTensors(bytesSource(pickle(P.dict({ a: array([1, 2], [3]) })))), 'FILE_MALFORMED', 'fill');
  const call = concat(P.global('numpy.core.multiarray', '_reconstruct'), P.tuple(P.text('os.system')), P.reduce);
  await expectReject(openTensors(bytesSource(pickle(call))), 'FILE_REFUSED');
});

/** The types of what weights never are, as numpy 2 writes them. */
const others: [string, Uint8Array, Uint8Array][] = [
  ['text', type('U3'), bytes(new Uint8Array(24))],
  ['bytes', type('S3'), bytes(new Uint8Array(6))],
  ['objects', type('O8'), P.list(P.text('cat'), tensorPickle())],
  ['dates', type('M8'), bytes(new Uint8Array(16))],
  ['times', type('m8'), bytes(new Uint8Array(16))],
];

test.each(others)('an array of %s beside the weights is passed over', async (_, ofType, data) => {
  const made = concat(
    P.global('numpy._core.multiarray', '_reconstruct'),
    P.tuple(P.global('numpy', 'ndarray'), P.tuple(P.int(0)), bytes(Uint8Array.of(0x62))),
    P.reduce,
    P.tuple(P.int(1), P.tuple(P.int(2)), ofType, P.false, data),
    P.build,
  );
  const one = called('numpy._core.multiarray', 'scalar', ofType, bytes(new Uint8Array(12)));
  const torch = await saved({ state_dict: state(...names), classes: made, one });
  expect([...torch.tensors.keys()]).toEqual(['state_dict.backbone.w', 'state_dict.head.w']);
  if (data[0] === 0x5d) return; // a tensor of PyTorch cannot be in a pickle alone
  const alone = pickle(P.dict({ model: P.dict({ a: array([1, 2], [2]) }), classes: made, one }));
  expect([...(await openTensors(bytesSource(alone, 'm.pkl'))).tensors.keys()]).toEqual(['model.a']);
});

test.each(['V8', 'U3; x', 'x', 'c16'])('the type %s of numpy is refused as before', async (code) => {
  await expectReject(saved({ state_dict: state(...names), x: type(code) }), 'FILE_REFUSED', 'numpy.dtype');
});

test('a number of numpy beside the weights does not matter', async () => {
  const score = concat(
    P.global('numpy.core.multiarray', 'scalar'),
    P.tuple(type('f8'), bytes(new Uint8Array(8))),
    P.reduce,
  );
  expect([...modelTensors(await saved({ model: state('a'), best: score })).tensors.keys()]).toEqual(['a']);
});

test('a part of another program that ours has not is named; an unsaid style is assumed aloud', async () => {
  const entry = (name: string) => memoryEntry(name, 'float32', [2, 1], Float32Array.of(1, 2));
  const known = ['rpn_head.rpn_conv.weight', 'neck.lateral_convs.0.conv.weight', 'roi_head.bbox_head.fc_cls.weight'];
  const odd = memorySource([...known, 'roi_head.grid_head.x.weight'].map(entry), 'grid.pth');
  await expectReject(convertForeign(odd), 'CHECKPOINT_MISMATCH', 'roi_head.grid_head.x.weight');
  const converted = (await convertForeign(memorySource(known.map(entry))))!;
  expect(converted.assumed).toContain('caffe');
  const score = converted.tensors.find(({ name }) => name.includes('cls_score'))!;
  expect([...new Float32Array((await score.read()).buffer)]).toEqual([2, 1]); // the background first
  expect((await convertForeign(memorySource(known.map(entry)), { style: 'pytorch' }))!.assumed).toBeUndefined();
});

// ---------------------------------------------------------------- bodies

class Detector extends Module {
  constructor() {
    super();
    this.register('backbone.body.conv1.weight', new Parameter(tf.zeros([1, 1, 3, 2]), { layout: 'conv' }));
    this.register('backbone.body.bn1.weight', new Parameter(tf.zeros([2])));
    this.register('rpn.head.conv.weight', new Parameter(tf.zeros([1])));
  }
}

const body = (prefix: string, ...more: string[]) =>
  memorySource(
    [
      memoryEntry(
        `${prefix}conv1.weight`,
        'float16',
        [2, 3, 1, 1],
        Uint16Array.from({ length: 6 }, () => 0x3c00),
      ),
      memoryEntry(`${prefix}bn1.weight`, 'float32', [2], Float32Array.of(3, 4)),
      ...more.map((name) => memoryEntry(name, 'float32', [1], Float32Array.of(0))),
    ],
    'body.pth',
  );

test.each([
  ['torchvision’s and timm’s', '', ['fc.weight', 'fc.bias', 'bn1.num_batches_tracked']],
  ['without a head', '', []],
  ['under module.', 'module.', []],
  ['out of a detector', 'backbone.body.', ['rpn.head.conv.weight']],
])('a body, %s: found and loaded, half floats too', async (_, prefix, more) => {
  const detector = new Detector();
  const { loaded } = await loadBackbone(detector, body(prefix, ...more));
  expect(loaded).toEqual(['conv1.weight', 'bn1.weight']);
  const [conv, norm, rpn] = [...detector.namedParameters().values()].map(({ value }) => [...value.dataSync()]);
  expect({ conv, norm, rpn }).toEqual({ conv: [1, 1, 1, 1, 1, 1], norm: [3, 4], rpn: [0] });
  detector.dispose();
});

test('a tensor of another shape is named, and a body given as a detector says what to do', async () => {
  const detector = new Detector();
  const wrong = memorySource([
    memoryEntry('conv1.weight', 'float32', [2, 3, 1, 1], new Float32Array(6)),
    memoryEntry('bn1.weight', 'float32', [3], new Float32Array(3)),
  ]);
  await expectReject(loadBackbone(detector, wrong), 'CHECKPOINT_MISMATCH', 'bn1.weight [3], not [2]');
  await expectReject(loadStateDict(detector, body('')), 'CHECKPOINT_MISMATCH', '--weights-backbone');
  detector.dispose();
});

// ---------------------------------------------------------------- names of other programs

const named = (...list: string[]) =>
  memorySource(
    list.map((name) => memoryEntry(name, 'float32', [1], Float32Array.of(1))),
    'other.pkl',
  );

const strangers: [string, string[], RegExp][] = [
  ['a detector of detectron2', ['proposal_generator.rpn_head.conv.weight'], /names of detectron2.*mask-rcnn convert/],
  ['another one of detectron2', ['backbone.bottom_up.stem.conv1.weight', 'head.cls_score.weight'], /detectron2/],
  [
    'a detector of mmdetection',
    ['rpn_head.rpn_conv.weight', 'neck.lateral_convs.0.conv.weight'],
    /names of mmdetection.*mask-rcnn convert/,
  ],
  ['a RetinaNet of mmdetection', ['bbox_head.cls_convs.0.conv.weight'], /mmdetection/],
  ['R-50.pkl of detectron2', ['conv1_w', 'res2_0_branch2a_w', 'res2_0_branch2a_bn_s'], /Caffe2.*--weights-backbone/],
  ['the same among its blobs', ['blobs.conv1_w', 'blobs.res2_0_branch1_w'], /Caffe2.*--weights-backbone/],
];

test.each(strangers)('%s, given as it is: what it is and what to do', async (_, list, says) => {
  const source = named(...list);
  expect(() => refuseUnknown(source, 'any')).toThrow(says);
  const detector = new Detector();
  await expectReject(loadStateDict(detector, source), 'CHECKPOINT_MISMATCH', '');
  expect((await rejection(loadStateDict(detector, source))).message).toMatch(says);
  expect((await rejection(loadBackbone(detector, source))).message).toMatch(says);
  detector.dispose();
});

test('Caffe2’s names are not converted into a file of no use', async () => {
  await expectReject(convertForeign(named('res2_0_branch1_w')), 'CHECKPOINT_MISMATCH', 'Caffe2');
});

test('torchvision’s own body as detectron2 carries it is read, but only where the file says that it is that', async () => {
  const detector = new Detector();
  const entries = [
    memoryEntry('stem.conv1.weight', 'float32', [2, 3, 1, 1], new Float32Array(6).fill(1)),
    memoryEntry('stem.conv1.norm.weight', 'float32', [2], Float32Array.of(3, 4)),
  ];
  const source = { ...memorySource(entries), metadata: new Map([['__author__', 'torchvision']]) };
  expect((await loadBackbone(detector, source)).loaded).toEqual(['conv1.weight', 'bn1.weight']);
  await expectReject(loadBackbone(detector, memorySource(entries)), 'CHECKPOINT_MISMATCH', '');
  detector.dispose();
});

test('arrays that Python 2 wrote as text are named as that', async () => {
  const text = concat(Uint8Array.of(0x55, 3), Uint8Array.of(0xff, 0xfe, 1)); // SHORT_BINSTRING
  await expectReject(openTensors(bytesSource(pickle(P.dict({ a: text })), 'R-50.pkl')), 'FILE_MALFORMED', 'Python 2');
});
