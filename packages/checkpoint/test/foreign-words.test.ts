import { expect, test } from 'vitest';
import { parseConfig } from '../src/foreign/config-text.ts';
import { convertForeign, memoryEntry, memorySource, type TensorEntry } from '../src/index.ts';
import { rejection } from './helpers.ts';

// What detectron2 and mmdetection say of pixels, strides and anchors beside their weights.

const tensor = (name: string, shape: readonly number[], values: readonly number[] = []): TensorEntry => {
  const count = shape.reduce((product, side) => product * side, 1);
  return memoryEntry(
    name,
    'float32',
    shape,
    Float32Array.from({ length: count }, (_, i) => values[i] ?? 0),
  );
};

/** As little as makes a file one of detectron2's, with a pyramid or without. */
const ofDetectron2 = (...more: TensorEntry[]) =>
  memorySource([tensor('proposal_generator.rpn_head.conv.weight', [1]), ...more], 'theirs.pkl');
const pyramid = tensor('backbone.fpn_lateral2.weight', [1]);
const pixels = (mean: readonly number[], std: readonly number[]): TensorEntry[] => [
  tensor('pixel_mean', [3, 1, 1], mean),
  tensor('pixel_std', [3, 1, 1], std),
];

const [RED_FIRST, BLUE_FIRST] = [
  [123.675, 116.28, 103.53],
  [103.53, 116.28, 123.675],
];
const [RGB_SPREAD, BGR_SPREAD] = [
  [58.395, 57.12, 57.375],
  [57.375, 57.12, 58.395],
];
const ONES = [1, 1, 1];
const shares = (values: readonly number[]): number[] => values.map((value) => value / 255);
const asFloats = (values: readonly number[]): number[] => shares(values.map(Math.fround));

test.each([
  ['torchvision’s body', RED_FIRST, RGB_SPREAD, 'rgb', '3x3'],
  ['Caffe2’s body', BLUE_FIRST, ONES, 'bgr', '1x1'],
  ['Caffe2’s ResNeXt', BLUE_FIRST, BGR_SPREAD, 'bgr', '3x3'],
] as const)(
  'detectron2, %s: order and stride follow the numbers of the file',
  async (_, mean, std, order, strideIn) => {
    const { profile, assumed } = (await convertForeign(ofDetectron2(...pixels(mean, std))))!;
    expect(profile.input).toMatchObject({ channelOrder: order, mean: asFloats(mean), std: asFloats(std) });
    expect([profile.options['strideIn'], assumed]).toEqual([strideIn, undefined]);
  },
);

test('what detectron2 leaves open is assumed aloud, or taken from the style that was said', async () => {
  const say = async (style: 'caffe' | 'pytorch' | undefined, ...more: TensorEntry[]) => {
    const { profile, assumed } = (await convertForeign(ofDetectron2(...more), { style }))!;
    return [profile.input.channelOrder, profile.options['strideIn'], assumed];
  };
  expect(await say(undefined)).toEqual([
    'bgr',
    '1x1',
    'the file does not say how its body was trained: taken for caffe style (BGR images, the stride in the 1x1)',
  ]);
  expect(await say('pytorch')).toEqual(['rgb', '3x3', undefined]);
  // Groups: each filter sees 4 of 128 channels.
  const grouped = tensor('backbone.bottom_up.res2.0.conv2.weight', [8, 2, 1, 1]);
  expect(await say(undefined, grouped)).toEqual([
    'bgr',
    '3x3',
    'the file does not say how its body was trained: taken for pytorch style (BGR images, the stride in the 3x3)',
  ]);
  expect(await say(undefined, ...pixels([128, 128, 128], ONES))).toEqual([
    'bgr',
    '1x1',
    'the file does not say in which order its channels are: taken for BGR images with the stride in the 1x1',
  ]);
  // Means of somebody's own images make an order likely, and no more.
  const own = pixels([90, 100, 110], [50, 50, 50]);
  expect(await say(undefined, ...own)).toEqual([
    'bgr',
    '3x3',
    'the file does not say in which order its channels are: taken for BGR images with the stride in the 3x3',
  ]);
  expect(await say('pytorch', ...own)).toEqual(['rgb', '3x3', undefined]);
  expect((await say(undefined, ...pixels(BLUE_FIRST!, [0, 0, 0])))[2]).toContain('how its body was trained');
  expect(await say(undefined, ...pixels(RED_FIRST!, ONES))).toEqual([
    'rgb',
    '1x1',
    'the file does not say where its body strides: taken for the stride in the 1x1',
  ]);
  // The weights were trained with these numbers, whatever the style.
  expect(await say('pytorch', ...pixels(BLUE_FIRST!, ONES))).toEqual(['bgr', '3x3', undefined]);
});

// ---------------------------------------------------------------- anchors of detectron2

/** The anchors around one cell as detectron2 makes them. */
const cell = (level: number, ...sizes: number[]): TensorEntry => {
  const corners = sizes.flatMap((size) =>
    [0.5, 1, 2].flatMap((ratio) => {
      const width = Math.sqrt(size ** 2 / ratio);
      return [-width / 2, (-ratio * width) / 2, width / 2, (ratio * width) / 2];
    }),
  );
  return tensor(`proposal_generator.anchor_generator.cell_anchors.${level}`, [3 * sizes.length, 4], corners);
};
const anchorSizes = async (file: ReturnType<typeof memorySource>) =>
  (await convertForeign(file))!.profile.options['anchorSizes'];

test('anchors of detectron2 become options where they are not the usual ones', async () => {
  const levels = (...sizes: number[]) => ofDetectron2(pyramid, ...sizes.map((size, i) => cell(i, size)));
  expect(await anchorSizes(levels(32, 64, 128, 256, 512))).toBeUndefined();
  expect(await anchorSizes(levels(16, 32, 64, 128, 256))).toEqual([16, 32, 64, 128, 256]);
  expect(await anchorSizes(ofDetectron2(cell(0, 32, 64, 128, 256, 512)))).toBeUndefined(); // on one map
});

test.each([
  ['another number of levels', [pyramid, ...[32, 64, 128, 256].map((size, i) => cell(i, size))], /4 levels/],
  [
    'two sizes on a level',
    [pyramid, ...[32, 64, 128, 256, 512].map((size, i) => cell(i, size, 2 * size))],
    /cell_anchors\.0/,
  ],
  ['other sizes on one map', [cell(0, 16, 32, 64, 128, 256)], /-11\.31, -5\.66, 11\.31, 5\.66, -8, -8/],
  [
    'other shapes',
    [
      pyramid,
      ...[0, 1, 2, 3, 4].map((i) =>
        tensor(`proposal_generator.anchor_generator.cell_anchors.${i}`, [1, 4], [-4, -4, 4, 4]),
      ),
    ],
    /anchors \[-4, -4, 4, 4\]/,
  ],
])('anchors of detectron2 that ours cannot have, %s, are refused', async (_, more, says) => {
  const error = await rejection(convertForeign(ofDetectron2(...more)));
  expect(error.code).toBe('CHECKPOINT_MISMATCH');
  expect(error.message).toMatch(says);
});

// ---------------------------------------------------------------- mmdetection

const ofMmdetection = (key: string, config: string) => ({
  ...memorySource(
    ['rpn_head.rpn_conv.weight', 'neck.lateral_convs.0.conv.weight'].map((name) => tensor(name, [1])),
    'theirs.pth',
  ),
  metadata: new Map([[key, config]]),
});

/** As mmcv writes a config of mmdetection 2: in the order of the program. */
const version2 = (style: string, norm: string, scales = '[8]', ratios = '[0.5, 1.0, 2.0]') => `model = dict(
    type='MaskRCNN',
    backbone=dict(
        type='ResNet',
        norm_cfg=dict(type='BN', requires_grad=True),
        ${style}
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
    rpn_head=dict(
        type='RPNHead',
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=${scales},
            ratios=${ratios},
            strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0])))
data_root = 'data/it\\'s (here'  # style='caffe'
img_norm_cfg = dict(
    ${norm})
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='Normalize', **img_norm_cfg)]
`;

/** As mmengine writes one of mmdetection 3: sorted, a number on a line. */
const version3 = (turn: string) => `data_root = 'data/'
model = dict(
    backbone=dict(
        depth=50,
        style='pytorch',
        type='ResNet'),
    data_preprocessor=dict(
        ${turn}
        mean=[
            123.675,
            116.28,
            103.53,
        ],
        pad_mask=True,
        std=[
            58.395,
            57.12,
            57.375,
        ],
        type='DetDataPreprocessor'),
    rpn_head=dict(
        anchor_generator=dict(
            ratios=[
                0.5,
                1.0,
                2.0,
            ],
            scales=[
                4,
            ],
            strides=[
                4,
                8,
                16,
                32,
                64,
            ],
            type='AnchorGenerator'),
        type='RPNHead'))
`;

const said = async (key: string, config: string) => {
  const { profile, assumed } = (await convertForeign(ofMmdetection(key, config)))!;
  const { channelOrder, mean, std } = profile.input;
  return { channelOrder, mean, std, strideIn: profile.options['strideIn'], assumed };
};

const bgr = 'mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], to_rgb=False';
const rgb = 'mean=[123.675, 116.28, 103.53],\n    std=[58.395, 57.12, 57.375],\n    to_rgb=True';

test.each([
  ['PyTorch’s strides on BGR images', version2("style='pytorch',", bgr), 'bgr', BLUE_FIRST, BGR_SPREAD, '3x3'],
  ['PyTorch’s', version2("style='pytorch',", rgb), 'rgb', RED_FIRST, RGB_SPREAD, '3x3'],
  ['no style, which is PyTorch’s', version2('', rgb), 'rgb', RED_FIRST, RGB_SPREAD, '3x3'],
  [
    'Caffe’s',
    version2("style='caffe',", 'mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], to_rgb=False'),
    'bgr',
    BLUE_FIRST,
    ONES,
    '1x1',
  ],
  [
    'a step of its own, before what is left of another config',
    `${version2("style='pytorch',", rgb)}test_pipeline = [dict(type='Normalize', ${bgr})]`,
    'bgr',
    BLUE_FIRST,
    BGR_SPREAD,
    '3x3',
  ],
] as const)('mmdetection 2, %s', async (_, config, channelOrder, mean, std, strideIn) => {
  const expected = { channelOrder, mean: shares(mean!), std: shares(std!), strideIn, assumed: undefined };
  expect(await said('meta.config', config)).toEqual(expected);
});

test('mmdetection 3 says it on the model, and turns channels only where it says so', async () => {
  const expected = { mean: shares(RED_FIRST!), std: shares(RGB_SPREAD!), strideIn: '3x3', assumed: undefined };
  expect(await said('meta.cfg', version3('bgr_to_rgb=True,'))).toEqual({ ...expected, channelOrder: 'rgb' });
  expect(await said('meta.cfg', version3(''))).toEqual({ ...expected, channelOrder: 'bgr' });
});

test('scales of mmdetection become sizes, and anchors that ours cannot have are refused', async () => {
  const config = (...anchors: string[]) => ofMmdetection('meta.config', version2("style='pytorch',", rgb, ...anchors));
  expect(await anchorSizes(config())).toBeUndefined();
  expect(await anchorSizes(config('[4]'))).toEqual([16, 32, 64, 128, 256]);
  expect(await anchorSizes(config('[8], base_sizes=[3, 6, 12, 24, 48]'))).toEqual([24, 48, 96, 192, 384]);
  expect(await anchorSizes(ofMmdetection('meta.cfg', version3('')))).toEqual([16, 32, 64, 128, 256]);
  for (const [anchors, says] of [
    [['[2, 8]'], "'scales': [2, 8]"],
    [['[8]', '[1.0]'], "'ratios': [1]"],
    [['[8], center_offset=0.5'], "'center_offset': 0.5"],
  ] as const) {
    const error = await rejection(convertForeign(config(...anchors)));
    expect([error.code, error.message]).toEqual(['CHECKPOINT_MISMATCH', expect.stringContaining(says)]);
  }
});

test('a config is read as literals, and what is none is passed over', () => {
  const { fields, items } = parseConfig(`photos.py
a = dict(b=-1.5e-3, c=[1, (2, 'x')], d={'e': None}, f=lambda: 1, g=True)  # h = 1
i = 'it\\'s'`);
  expect(items).toEqual([]);
  expect([...fields.keys()]).toEqual(['a', 'i']);
  expect(fields.get('a')).toEqual({
    fields: new Map<string, unknown>([
      ['b', -0.0015],
      ['c', { fields: new Map(), items: [1, { fields: new Map(), items: [2, 'x'] }] }],
      ['d', { fields: new Map([['e', null]]), items: [] }],
      ['f', 1],
      ['g', true],
    ]),
    items: [],
  });
});

test.each([
  ['deep', '('.repeat(500_000)],
  ['broad', '[],'.repeat(300_000)],
  ['one open text', `'${'\\a'.repeat(300_000)}`],
  ['closed too often', ')'.repeat(500_000)],
])('a config made to hurt, %s, does not', async (_, config) => {
  expect((await said('meta.config', config)).channelOrder).toBe('bgr');
});
