/**
 * The floors of the house, from the ground up. A package may import packages of lower floors, and of its own floor
 * only where `sameFloor` says so. The folder name stands for the package.
 */
export const floors: readonly (readonly string[])[] = [
  ['core', 'tfjs-backend-onnxruntime'],
  ['files', 'distributed'],
  ['boxes', 'masks', 'checkpoint', 'optim'],
  [
    'backbone-mobilenet',
    'backbone-resnet',
    'backbone-vgg',
    'fpn',
    'rpn-anchors',
    'roi-align',
    'detector',
    'coco-data',
    'transforms',
    'coco-eval',
    'visualize',
    'tfjs-tensorflow',
  ],
  ['roi-heads', 'solo', 'retinanet'],
  ['htc', 'point-rend'],
  ['two-stage', 'yolact'],
  ['models', 'onnx', 'serve'],
  ['mask-rcnn'],
  ['train'],
  ['studio'],
  ['cli'],
];

/** Arrows inside a floor: few, and each with its reason. */
export const sameFloor: Readonly<Record<string, readonly string[]>> = {
  // The loader augments in its workers, so it calls the transforms.
  'coco-data': ['transforms'],
  // The choice of an engine imports the default one when it is asked for, where bundlers can read its name.
  core: ['tfjs-backend-onnxruntime'],
};

/** Arrows that the floors would allow and the house does not: data and model meet in `train`, pictures and model in `mask-rcnn`. */
export const forbidden: readonly (readonly [from: string, to: string])[] = [
  ['two-stage', 'transforms'],
  ['two-stage', 'coco-data'],
  ['two-stage', 'coco-eval'],
  ['two-stage', 'visualize'],
  ['solo', 'transforms'],
  ['solo', 'coco-data'],
  ['solo', 'coco-eval'],
  ['solo', 'visualize'],
  ['retinanet', 'transforms'],
  ['retinanet', 'coco-data'],
  ['retinanet', 'coco-eval'],
  ['retinanet', 'visualize'],
  ['yolact', 'transforms'],
  ['yolact', 'coco-data'],
  ['yolact', 'coco-eval'],
  ['yolact', 'visualize'],
  ['roi-heads', 'transforms'],
  ['roi-heads', 'coco-data'],
  ['roi-heads', 'coco-eval'],
];

/**
 * The order of the rooms inside a package, from the ground up: the folders of `src` in the order in which data flow. A
 * file may import from its own room and from those before it; rooms of one step know nothing of each other. Files that
 * lie in `src` itself stand above all rooms, or on the step that names them.
 */
export const rooms: Readonly<Record<string, readonly (readonly string[])[]>> = {
  checkpoint: [
    [
      'byte-source.ts',
      'dtypes.ts',
      'hashing.ts',
      'json.ts',
      'kernel-bytes.ts',
      'other-files.ts',
      'profile-v1.ts',
      'refuse.ts',
      'strict-json.ts',
    ],
    ['profile.ts', 'tensor-source.ts'],
    ['programs'],
    ['pretrained', 'pth', 'safetensors', 'state-dict'],
    ['foreign'],
    ['open.ts'],
    ['checkpoint.ts'],
    ['inspect.ts'],
    ['node'],
  ],
  cli: [
    ['output'],
    ['command.ts', 'options'],
    ['engines'],
    ['models', 'ranks'],
    ['shards'],
    ['evaluate', 'pictures'],
    ['predict'],
    ['commands'],
  ],
  'coco-eval': [
    ['kernel-bytes.ts'],
    ['kernel.ts'],
    ['read'],
    ['params.ts'],
    ['match'],
    ['score'],
    ['evaluate.ts'],
    ['analysis', 'node'],
    ['plots'],
  ],
  core: [
    ['counted.ts', 'host-memory.ts', 'packed.ts', 'printable.ts', 'types.ts'],
    ['errors.ts'],
    ['engine', 'parameter.ts', 'random.ts'],
    ['autograd', 'initialisers.ts', 'module.ts'],
    ['graph.ts', 'ops'],
    ['layers'],
  ],
  masks: [['kernel-bytes.ts'], ['kernel.ts'], ['runs'], ['forms'], ['paste']],
  onnx: [
    ['format', 'web.ts'],
    ['graph'],
    ['detector', 'compile'],
    ['description.ts', 'session-failures.ts'],
    ['compile.ts'],
    ['export.ts', 'onnx-detector.ts'],
  ],
  studio: [['api.ts', 'program.ts'], ['dataset', 'model', 'runs'], ['server']],
  'tfjs-backend-onnxruntime': [
    ['conformance', 'errors.ts', 'kernel-bytes.ts', 'onnx.ts', 'pool.ts'],
    ['convolutions.ts', 'native.ts', 'simd.ts', 'threads.ts'],
    ['winograd-cost.ts'],
    ['model.ts', 'sessions.ts'],
    ['backend.ts'],
    ['kernels'],
  ],
  train: [['config', 'loop'], ['files'], ['report', 'tensorboard'], ['run']],
  visualize: [['canvas.ts', 'palette.ts'], ['image.ts', 'scene.ts', 'text.ts'], ['annotators']],
};

/** Packages that run in Node alone: their entries may use native code, but for those named in {@link browserEntries}. */
export const nodeOnly: readonly string[] = [
  'files',
  'cli',
  'serve',
  'studio',
  'train',
  'tfjs-backend-onnxruntime',
  'tfjs-tensorflow',
];

/** Entries of such packages that browsers use. */
export const browserEntries: Readonly<Record<string, readonly string[]>> = { train: ['./loop'] };

/** Modules that browsers must never see from a main entry. */
export const nativeModules: readonly RegExp[] = [
  /^node:/,
  /^sharp$/,
  /^webgpu$/,
  /^piscina$/,
  /^@napi-rs\//,
  /^onnxruntime-node/,
  /^@tensorflow\/tfjs-node/,
];

/** Backends are the application's choice. */
export const backends: readonly RegExp[] = [
  /^@tensorflow\/tfjs-(backend-|node|layers$|converter$)/,
  /^@tensorflow\/tfjs$/,
  /^@rcnn\/tfjs-/,
  /^onnxruntime/,
];

/** Packages whose business is a backend. */
export const mayImportBackends: readonly string[] = ['tfjs-backend-onnxruntime', 'tfjs-tensorflow', 'cli', 'train'];
