import type { EngineName } from '@rcnn/core';
import { fixesSize } from '@rcnn/transforms';
import type { FasterRCNN } from 'mask-rcnn';
import type { TrainConfig } from '../config/options.ts';
import type { Listener } from '../loop/events.ts';
import type { TrainingData } from './data.ts';
import {
  availableMemory,
  batchSizeOf,
  estimateMemory,
  gibibytes,
  type MemoryOptions,
  requireMemory,
} from './memory.ts';
import { slotsOf } from './plan.ts';

/** Engines that hold their tensors in this process as was measured; of a GPU's memory nothing is known here. */
const MEASURED: readonly EngineName[] = ['onnxruntime', 'cpu'];

/** Regions per image where the config leaves them to the recipe. */
const ROIS = { maskrcnn_small: 32, others: 512 };

/** Tells what a training will need, and refuses one that cannot fit. @throws OUT_OF_MEMORY */
export function checkMemory(
  config: TrainConfig,
  { train }: TrainingData,
  model: FasterRCNN,
  engine: EngineName,
  onEvent: Listener,
): void {
  if (!MEASURED.includes(engine)) return;
  const parameters = model.namedParameters();
  const sizes = train.images.map(({ size }) => size);
  const roisPerImage = config.roisPerImage ?? (config.arch === 'maskrcnn_small' ? ROIS.maskrcnn_small : ROIS.others);
  const estimate = (options: MemoryOptions): number => {
    const imageSize = batchSizeOf(sizes, fixesSize(config.augment) ? AUGMENTED : options);
    const batchSize = Math.min(options.batchSize, sizes.length);
    return estimateMemory(parameters, { batchSize, imageSize, roisPerImage, slots: slotsOf(config) });
  };
  const { minSizes, maxSize } = model.transform as unknown as { minSizes: readonly number[]; maxSize: number };
  const now = { batchSize: config.batchSize, minSize: Math.max(...minSizes), maxSize };
  const available = availableMemory() + process.memoryUsage.rss(); // what this process has already is in the estimate
  onEvent({
    kind: 'note',
    text: `Memory: about ${gibibytes(estimate(now))} at its peak, of ${gibibytes(available)} available.`,
  });
  if (config.memory === 'check') requireMemory(now, estimate, available);
}

/** The largest images of the presets that choose the size themselves. */
const AUGMENTED = { minSize: 1024, maxSize: 1333 };
