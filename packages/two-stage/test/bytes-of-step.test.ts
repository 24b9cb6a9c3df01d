import '@tensorflow/tfjs-backend-cpu';
import { type ImageSize, withoutInitialising } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { architecture, type FasterRCNN, type RecipeOptions } from '../src/index.ts';

const MiB = 2 ** 20;

beforeAll(() => tf.setBackend('cpu'));

/** Without first weights: how many there are is all that counts here, and drawing them would take most of the time. */
const modelOf = (name: string, options: RecipeOptions): FasterRCNN =>
  withoutInitialising(() => architecture(name)(options));

/** Measured in MiB on Linux, 2 cores, onnxruntime, from scratch: `npm run bench -- memory`. */
const MEASURED: readonly [string, readonly [number, number], number, { rois?: number; slots?: number }, number][] = [
  ['maskrcnn_small', [96, 128], 2, { rois: 32, slots: 2 }, 726],
  ['maskrcnn_small', [256, 384], 4, { rois: 32, slots: 2 }, 1190],
  ['maskrcnn_small', [512, 768], 4, { rois: 32 }, 2736],
  ['maskrcnn_resnet18_fpn', [320, 480], 2, {}, 2313],
  ['maskrcnn_resnet50_fpn', [320, 480], 1, {}, 2508],
  ['maskrcnn_resnet50_fpn', [480, 640], 2, {}, 3718],
  ['maskrcnn_resnet50_fpn_v2', [320, 480], 1, {}, 3079],
  ['maskrcnn_resnet50_fpn', [800, 1333], 2, {}, 8889],
  ['maskrcnn_resnet18_fpn', [800, 1333], 2, {}, 5529],
  ['fasterrcnn_resnet50_fpn', [480, 640], 1, { rois: 128 }, 2896],
];

test.each(MEASURED)('%s, %j, %d images: near what was measured, and not below it', (arch, size, batch, more, peak) => {
  const model = modelOf(arch, {
    numClasses: 5,
    norm: 'batch',
    trainableStages: 5,
    ...(more.rois !== undefined && { boxBatchSizePerImage: more.rois }),
  });
  const { slots = 1 } = more;
  const imageSize: ImageSize = [32 * Math.ceil(size[0] / 32), 32 * Math.ceil(size[1] / 32)];
  const estimate = model.spec.bytesOfStep!({ batchSize: batch, imageSize, slots });
  model.dispose();
  expect(estimate / MiB / peak).toBeGreaterThan(0.95);
  expect(estimate / MiB / peak).toBeLessThan(1.35);
});

test('what is frozen at the bottom keeps no outputs', () => {
  const size = { batchSize: 2, imageSize: [800, 1344], slots: 1 } as const;
  const of = (trainableStages: number): number => {
    const model = modelOf('maskrcnn_resnet50_fpn', { numClasses: 91, trainableStages });
    const estimate = model.spec.bytesOfStep!(size);
    model.dispose();
    return estimate;
  };
  expect(of(3)).toBeLessThan(0.8 * of(5));
});
