import { convertForeign, memoryEntry, memorySource, stateDict } from '@rcnn/checkpoint';
import { Random } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { useFastEngine } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { expectSameBits } from '@rcnn/shared/same-bits';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { pointRendSmall } from '../src/index.ts';

beforeAll(useFastEngine);

const random = (): Random => new Random(3);
const limits = { numClasses: 3, minSize: 64, maxSize: 96, rpnPostNmsTopNTrain: 40, boxDetectionsPerImg: 4 } as const;

function image(): { data: Float32Array; height: number; width: number; channels: 3 } {
  const draws = random();
  return {
    data: Float32Array.from({ length: 48 * 64 * 3 }, () => draws.uniform(0, 1)),
    height: 48,
    width: 64,
    channels: 3,
  };
}

const target = {
  boxes: Float32Array.of(8, 6, 40, 38),
  labels: Int32Array.of(2),
  masks: [
    Mask.fromBitmap(
      Uint8Array.from({ length: 48 * 64 }, (_, i) => Number(i % 64 >= 8 && i % 64 < 40 && i >= 384 && i < 2432)),
      [48, 64],
    ),
  ],
};

test('a step gives all six losses on predicted boxes, masks come at the image’s size, and no tensor is kept', async () => {
  const model = pointRendSmall({ ...limits, boxScoreThresh: 0, random: random() });
  const losses = await model.losses([image()], [target], { random: random(), phase: 'train' });
  expect(Object.keys(losses).sort()).toEqual([
    'loss_box_reg',
    'loss_classifier',
    'loss_mask',
    'loss_mask_point',
    'loss_objectness',
    'loss_rpn_box_reg',
  ]);
  for (const [name, loss] of Object.entries(losses))
    expect([name, Number.isFinite(loss.dataSync()[0])]).toEqual([name, true]);
  tf.dispose({ ...losses });
  const [found] = await model.detect([image()]);
  expect(found!.length).toBeGreaterThan(0);
  expect(found![0]!.mask.bitmap()).toHaveLength(48 * 64);
  await expectNoLeak(async () => {
    tf.dispose({ ...(await model.losses([image()], [target], { random: random(), phase: 'train' })) });
    await model.detect([image()]);
  });
  model.dispose();
});

test('detectron2’s convolutions over points come in as dense layers, and nothing else of the heads changes', async () => {
  const model = pointRendSmall({ ...limits, random: random() });
  const heads = [...(await stateDict(model)).values()].filter(({ name }) => name.includes('mask_head.'));
  const theirs = heads.map((entry) => {
    const isPoints = entry.name.includes('point_head.') && entry.name.endsWith('.weight');
    return isPoints ? { ...entry, shape: [...entry.shape, 1] } : entry;
  });
  const known = memoryEntry('proposal_generator.rpn_head.conv.weight', 'float32', [1, 1, 1, 1], new Float32Array(1));
  const converted = (await convertForeign(memorySource([known, ...theirs], 'model_final.pth')))!;
  const found = new Map(converted.tensors.map((entry) => [entry.name, entry]));
  expect(found.size).toBe(heads.length + 1);
  for (const { name, shape, read } of heads) {
    expect([name, found.get(name)!.shape]).toEqual([name, shape]);
    expectSameBits(await found.get(name)!.read(), await read());
  }
  model.dispose();
});
