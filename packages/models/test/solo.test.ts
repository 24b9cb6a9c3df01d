import '@tensorflow/tfjs-backend-cpu';
import { loadStateDict, memorySource, stateDict, type TensorSource } from '@rcnn/checkpoint';
import { Random } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { decoupledSoloResnetFpn, type SOLO, soloResnetFpn, soloV2ResnetFpn } from '@rcnn/solo';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { architectures, checkOptions, detectorFromCheckpoint, findArchitecture, profileOf } from '../src/index.ts';

beforeAll(() => tf.setBackend('cpu'));

const NARROW = {
  body: 'resnet18',
  planes: [64, 8, 8, 8],
  stemChannels: 8,
  fpnChannels: 8,
  headChannels: 32,
  headDepth: 1,
  maskChannels: 32,
  kernelLength: 32,
  grids: [4, 3, 2, 2, 1],
  numClasses: 4,
} as const;

/** mmdetection's names of ours, and those of the authors' program. */
const MMDETECTION = [
  [/^backbone\.body\./, 'backbone.'],
  [/^backbone\.fpn\.inner_blocks\.(\d)\.0\./, 'neck.lateral_convs.$1.conv.'],
  [/^backbone\.fpn\.layer_blocks\.(\d)\.0\./, 'neck.fpn_convs.$1.conv.'],
] as const;
const AUTHORS = {
  solov2: [
    [/^mask_head\.cls_convs/, 'bbox_head.cate_convs'],
    [/^mask_head\.conv_cls/, 'bbox_head.solo_cate'],
    [/^mask_head\.kernel_convs/, 'bbox_head.kernel_convs'],
    [/^mask_head\.conv_kernel/, 'bbox_head.solo_kernel'],
    [/^mask_head\.mask_feature_head\.conv_pred/, 'mask_feat_head.conv_pred.0'],
    [/^mask_head\.mask_feature_head/, 'mask_feat_head'],
  ],
  decoupled_solo: [
    [/^mask_head\.cls_convs/, 'bbox_head.cate_convs'],
    [/^mask_head\.conv_cls/, 'bbox_head.dsolo_cate'],
    [/^mask_head\.mask_convs/, 'bbox_head.ins_convs'],
    [/^mask_head\.conv_mask_list/, 'bbox_head.dsolo_ins_list'],
  ],
  solo: [
    [/^mask_head\.cls_convs/, 'bbox_head.cate_convs'],
    [/^mask_head\.conv_cls/, 'bbox_head.solo_cate'],
    [/^mask_head\.mask_convs/, 'bbox_head.ins_convs'],
    [/^mask_head\.conv_mask_list/, 'bbox_head.solo_ins_list'],
  ],
} as const;
const RECIPES = { solov2: soloV2ResnetFpn, decoupled_solo: decoupledSoloResnetFpn, solo: soloResnetFpn } as const;

async function fileOf(model: SOLO, names: readonly (readonly [RegExp, string])[]): Promise<TensorSource> {
  const entries = [...(await stateDict(model)).values()].map((entry) => ({
    ...entry,
    name: names.reduce((name, [pattern, theirs]) => name.replace(pattern, theirs), entry.name),
  }));
  return memorySource(entries, 'a file');
}

describe.each(['solov2', 'decoupled_solo', 'solo'] as const)('files of %s', (kind) => {
  test.each([
    ['of our own', []],
    ['of mmdetection', MMDETECTION],
    ['of the authors’ program', [...MMDETECTION, ...AUTHORS[kind]]],
  ] as const)('%s are recognised, and every tensor finds its place', async (_, names) => {
    const model = RECIPES[kind]({ ...NARROW, random: new Random(1) });
    const other = RECIPES[kind]({ ...NARROW, random: new Random(2) });
    const file = await fileOf(model, names);
    const found = architectures.find(({ recognise }) => recognise?.(file));
    expect(found?.name).toBe(`${kind}_resnet18_fpn`);
    const own = found!.ownNames!(file);
    expect(found!.classesOf!(own)).toBe(4);
    const { loaded, missing, unexpected } = await loadStateDict(other, own);
    expect([loaded.length, missing, unexpected]).toEqual([model.namedParameters().size, [], []]);
    for (const [name, { value }] of other.namedParameters()) {
      expectClose(value, model.namedParameters().get(name)!.value, { absolute: 0, relative: 0 });
    }
    model.dispose();
    other.dispose();
  });
});

test('a checkpoint of ours gives the same detector again, its grids with it; other classes start afresh', async () => {
  const small = findArchitecture(architectures, 'solov2_small');
  const options = { grids: [8, 7, 6, 4, 3] };
  const model = small.build({ numClasses: 4, options: checkOptions(small, options), random: new Random(1) });
  const weights = memorySource([...(await stateDict(model)).values()], 'ours');
  const profile = profileOf(small, model, options, { source: 'a test' });
  expect(profile.options).toMatchObject({ grids: options.grids });
  const same = await detectorFromCheckpoint({ weights, profile });
  expect((same.model as SOLO).head.levels.map(({ grid }) => grid)).toEqual(options.grids);
  const fresh = await detectorFromCheckpoint({ weights, profile }, { numClasses: 3 });
  expect(fresh.report.skipped).toEqual(['mask_head.conv_cls.weight', 'mask_head.conv_cls.bias']);
  model.dispose();
  same.model.dispose();
  fresh.model.dispose();
});

test('options that a SOLO has not are refused, and so is a rule of sizes that it does not know', () => {
  const small = findArchitecture(architectures, 'solov2_small');
  expect(() => checkOptions(small, { roisPerImage: 3 })).toThrow(/no option 'roisPerImage'/);
  expect(() => checkOptions(small, { grids: [1, 2] })).toThrow(/grids/);
  const input = {
    resize: { rule: 'fixed', size: [64, 64] },
    sizeDivisor: 1,
    channelOrder: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  } as const;
  expect(() => small.build({ numClasses: 2, options: checkOptions(small, {}), input })).toThrow(/rule 'fixed'/);
});
