import { convertForeign, loadStateDict, memoryEntry, memorySource, stateDict } from '@rcnn/checkpoint';
import { Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { Fixture, fixtureImage, useFastEngine } from '@rcnn/fixtures';
import { SGD } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { architectureOf, detectorFromCheckpoint, htcResnetFpn, htcSmall, type MaskRCNN } from '../src/index.ts';

beforeAll(useFastEngine);

const NARROW = {
  body: 'resnet18',
  planes: [64, 8, 8, 8],
  stemChannels: 8,
  fpnChannels: 16,
  boxFeatures: 16,
  numClasses: 4,
} as const;

/** mmdetection's name of ours. */
function theirs(name: string): string {
  return name
    .replace('backbone.body.', 'backbone.')
    .replace(/^backbone\.fpn\.inner_blocks\.(\d)\.0/, 'neck.lateral_convs.$1.conv')
    .replace(/^backbone\.fpn\.layer_blocks\.(\d)\.0/, 'neck.fpn_convs.$1.conv')
    .replace('rpn.head.conv.0.0', 'rpn_head.rpn_conv')
    .replace('rpn.head.cls_logits', 'rpn_head.rpn_cls')
    .replace('rpn.head.bbox_pred', 'rpn_head.rpn_reg')
    .replace(/^roi_heads\.box_head\.(\d)\.fc6/, 'roi_head.bbox_head.$1.shared_fcs.0')
    .replace(/^roi_heads\.box_head\.(\d)\.fc7/, 'roi_head.bbox_head.$1.shared_fcs.1')
    .replace(/^roi_heads\.box_predictor\.(\d)\.cls_score/, 'roi_head.bbox_head.$1.fc_cls')
    .replace(/^roi_heads\.box_predictor\.(\d)\.bbox_pred/, 'roi_head.bbox_head.$1.fc_reg')
    .replace(/^roi_heads\.mask_head\.(\d)\.(\d)\.0/, 'roi_head.mask_head.$1.convs.$2.conv')
    .replace(/^roi_heads\.mask_flow\.(\d)/, 'roi_head.mask_head.$1.conv_res.conv')
    .replace(/^roi_heads\.mask_predictor\.(\d)\.conv5_mask/, 'roi_head.mask_head.$1.upsample')
    .replace(/^roi_heads\.mask_predictor\.(\d)\.mask_fcn_logits/, 'roi_head.mask_head.$1.conv_logits')
    .replace('roi_heads.semantic_head', 'roi_head.semantic_head');
}

test('a file of mmdetection becomes ours: background first, its places and rules in the profile', async () => {
  const model = htcResnetFpn({ ...NARROW, semanticClasses: 7, random: new Random(1) });
  const own = await stateDict(model);
  const entries = [...own.values()].map(async (entry) => {
    const { buffer, byteOffset, byteLength } = await entry.read();
    const values = new Float32Array(buffer, byteOffset, byteLength / 4);
    const [rows = 1, ...rest] = entry.shape;
    const width = values.length / rows;
    const name = theirs(entry.name);
    if (name.includes('fc_cls')) {
      const last = Float32Array.from([...values.subarray(width), ...values.subarray(0, width)]);
      return memoryEntry(name, 'float32', entry.shape, last);
    }
    if (!/mask_head\.\d\.conv_logits/.test(name)) return memoryEntry(name, 'float32', entry.shape, values.slice());
    return memoryEntry(name, 'float32', [rows - 1, ...rest], values.slice(width));
  });
  const source = memorySource(await Promise.all(entries), 'htc.pth');
  const file = { ...source, metadata: new Map([['meta.config', "style='pytorch'"]]) };
  const converted = (await convertForeign(file))!;
  const weights = memorySource(converted.tensors);
  expect([converted.program, converted.tensors.length]).toEqual(['mmdetection', own.size]);
  expect(converted.profile).toMatchObject({ numClasses: 4, options: { semanticClasses: 7, strideIn: '3x3' } });
  expect(architectureOf(weights)).toBe('htc_resnet18_fpn');
  const { model: again, report } = await detectorFromCheckpoint({ weights, profile: converted.profile }, NARROW);
  expect(report.loaded.length).toBe(own.size);
  const differing = [...again.namedParameters()].filter(([name, { value }]) => {
    const before = model.namedParameters().get(name)!.value.dataSync<'float32'>();
    const background = name.includes('mask_fcn_logits') ? 4 : 0; // its mask has no place in their file
    return value.dataSync<'float32'>().some((x, i) => x !== before[i] && (background === 0 || i % background !== 0));
  });
  expect(differing.map(([name]) => name)).toEqual([]);

  const without = memorySource(
    [...file.tensors.values()].filter(({ name }) => !name.includes('conv_res')),
    'a cascade of mmdetection',
  );
  await expect(convertForeign(without)).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' });
  model.dispose();
  again.dispose();
});

test('it learns: losses of two images fall, and every part of it moves', async () => {
  const fixture = await Fixture.read(new URL('fixtures/train_maskrcnn_resnet18_fpn.safetensors', import.meta.url));
  const images = [await fixtureImage('a'), await fixtureImage('b')];
  const targets = [fixture.target(0), fixture.target(1)];
  const size = { minSize: 64, maxSize: 96, numClasses: 6, boxBatchSizePerImage: 16, rpnPostNmsTopNTrain: 32 };
  const model: MaskRCNN = htcSmall({ ...NARROW, ...size, norm: 'batch', trainableStages: 5, random: new Random(1) });
  const optimizer = new SGD(trainableParameters(model), { momentum: 0.9 });
  const totals: number[] = [];
  for (let step = 0; step < 4; step++) {
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const parts = await model.losses(images, targets, { random: new Random(3) });
      return { loss: tf.addN(Object.values(parts)), extra: parts };
    }, trainableParameters(model));
    expect(Object.keys(extra).filter((name) => name.startsWith('loss_'))).toHaveLength(12);
    if (step === 0) {
      const still = [...gradients].filter(
        ([, gradient]) => !(gradient.dataSync() as Float32Array).some((g) => g !== 0),
      );
      expect(still.map(([name]) => name)).toEqual([]);
      expect(gradients.size).toBe(trainableParameters(model).size);
    }
    totals.push(loss.dataSync()[0]!);
    optimizer.update({ gradients, settingsOf: () => ({ learningRate: 0.01, weightDecay: 0 }) });
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  }
  expect(totals.at(-1)!).toBeLessThan(totals[0]!);
  optimizer.dispose();
  model.dispose();
});

test('weights of its own make the same detector again', async () => {
  const model = htcSmall({ ...NARROW, random: new Random(1) });
  const other = htcSmall({ ...NARROW, random: new Random(2) });
  const { missing, unexpected } = await loadStateDict(other, memorySource([...(await stateDict(model)).values()]));
  expect([missing, unexpected]).toEqual([[], []]);
  expect(model.spec.isPredictor('roi_heads.semantic_head.conv_logits.weight')).toBe(true);
  model.dispose();
  other.dispose();
});

test('parts of other second stages are refused', () => {
  const head = { outFeatures: 16 } as never;
  expect(() => htcSmall({ ...NARROW, boxHead: head })).toThrow('would not be used');
});
