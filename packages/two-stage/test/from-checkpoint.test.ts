import '@tensorflow/tfjs-backend-cpu';
import { memorySource, stateDict, type TensorSource, torchvisionProfile } from '@rcnn/checkpoint';
import { expectClose, expectNoLeak } from '@rcnn/core/testing';
import { beforeAll, expect, test } from 'vitest';
import {
  detectorFromCheckpoint,
  type ImageTransform,
  isRcnnError,
  maskRcnnResnetFpn,
  Random,
  type RecipeOptions,
} from '../src/index.ts';

const narrow: RecipeOptions = { fpnChannels: 8, boxFeatures: 16 };
let weights: TensorSource;

beforeAll(async () => {
  const random = new Random(4);
  const model = maskRcnnResnetFpn({ ...narrow, body: 'resnet18', numClasses: 4, random });
  weights = memorySource((await stateDict(model)).values(), 'a test');
  model.dispose();
});

test('the architecture and the classes are read from the tensors', async () => {
  const { model, arch, numClasses, report } = await detectorFromCheckpoint({ weights, profile: undefined }, narrow);
  expect({ arch, numClasses }).toEqual({ arch: 'maskrcnn_resnet18_fpn', numClasses: 4 });
  expect(report.loaded.length).toBe(weights.tensors.size);
  model.dispose();
});

test('other classes keep every weight but the predictors’', async () => {
  const checkpoint = { weights, profile: undefined };
  const same = await detectorFromCheckpoint(checkpoint, narrow);
  const other = await detectorFromCheckpoint(checkpoint, { ...narrow, numClasses: 7 });
  expect(other.report.skipped).toEqual([
    'roi_heads.box_predictor.cls_score.weight',
    'roi_heads.box_predictor.cls_score.bias',
    'roi_heads.box_predictor.bbox_pred.weight',
    'roi_heads.box_predictor.bbox_pred.bias',
    'roi_heads.mask_predictor.mask_fcn_logits.weight',
    'roi_heads.mask_predictor.mask_fcn_logits.bias',
  ]);
  const before = same.model.namedParameters();
  for (const [name, { value }] of other.model.namedParameters()) {
    if (other.report.skipped.includes(name)) expect(value.dataSync().some((number) => number !== 0)).toBe(true);
    else expectClose(value, before.get(name)!.value, { absolute: 0, relative: 0 });
  }
  same.model.dispose();
  other.model.dispose();
});

test('the profile sets what the weights expect; options go before it', async () => {
  const profile = torchvisionProfile({
    source: 'a test',
    numClasses: 4,
    input: { resize: { rule: 'torchvision', minSize: 320, maxSize: 640 } },
  });
  const sizes = async (options: RecipeOptions): Promise<(number | readonly number[])[]> => {
    const { model } = await detectorFromCheckpoint({ weights, profile }, { ...narrow, ...options });
    const { minSizes, maxSize } = model.transform as ImageTransform;
    model.dispose();
    return [minSizes, maxSize];
  };
  expect(await sizes({})).toEqual([[320], 640]);
  expect(await sizes({ minSize: 96 })).toEqual([[96], 640]);
});

test('a checkpoint of another architecture is refused, and nothing stays behind', async () => {
  const load = (): Promise<unknown> =>
    detectorFromCheckpoint({ weights, profile: undefined }, { ...narrow, arch: 'maskrcnn_resnet34_fpn' });
  const error = await load().catch((reason: unknown) => reason);
  expect(isRcnnError(error, 'CHECKPOINT_MISMATCH')).toBe(true);
  expect((error as Error).message).toContain('layer1.2.conv1.weight');
  await expectNoLeak(() => load().catch(() => {}), 1);
});

test('weights that want what the recipes do not do are refused', async () => {
  const resize = { rule: 'fixed', size: [550, 550] } as const;
  const profile = torchvisionProfile({ source: 'another library', numClasses: 4, input: { resize } });
  const error = await detectorFromCheckpoint({ weights, profile }, narrow).catch((reason: unknown) => reason);
  expect(isRcnnError(error, 'CHECKPOINT_MISMATCH')).toBe(true);
  expect((error as Error).message).toContain("the rule 'fixed'");
});

test('tensors that look like no network we know say so', async () => {
  const some = memorySource(
    [...weights.tensors.values()].filter(({ name }) => !name.includes('.layer4.')),
    'cut',
  );
  const error = await detectorFromCheckpoint({ weights: some, profile: undefined }).catch((reason: unknown) => reason);
  expect(isRcnnError(error, 'CHECKPOINT_MISMATCH')).toBe(true);
  expect((error as Error).message).toContain('look like none we know');
});
