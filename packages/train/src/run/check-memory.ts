import type { Detector, ImageSize, InputSpec } from '@rcnn/core';
import { fixesSize, narrowestPart } from '@rcnn/transforms';
import type { TrainConfig } from '../config/options.ts';
import type { Listener } from '../loop/events.ts';
import type { TrainingData } from './data.ts';
import {
  availableMemory,
  batchSizeOf,
  gibibytes,
  type MemoryOptions,
  requireMemory,
  type SideLimits,
  withManyShapes,
} from './memory.ts';
import { slotsOf } from './plan.ts';

/** Engines that hold their tensors in this process as was measured; of a GPU's memory nothing is known here. */
const MEASURED: readonly string[] = ['onnxruntime', 'cpu'];

/** The largest images of the presets that choose the size themselves. */
const AUGMENTED: SideLimits = { minSize: 1024, maxSize: 1333 };

/**
 * Says what a training will need, and refuses one that cannot fit. A detector that does not know its needs is not asked.
 * @throws OUT_OF_MEMORY
 */
export function checkMemory(
  config: TrainConfig,
  { train }: TrainingData,
  { spec }: Detector,
  engine: string,
  onEvent: Listener,
): void {
  if (!MEASURED.includes(engine) || spec.bytesOfStep === undefined) return;
  const sizes = train.images.map(({ size }) => size);
  const limits = limitsOf(spec.input);
  const estimate = ({ batchSize, limits: chosen }: MemoryOptions): number => {
    const images = Math.min(batchSize, sizes.length);
    const fixed = fixesSize(config.augment);
    const sides = fixed ? AUGMENTED : chosen;
    const aspect = narrowestPart(config.augment);
    const imageSize =
      aspect === undefined || sides === undefined
        ? paddedSize(sizes, spec.input, sides)
        : paddedParts(aspect, sides, images);
    const bytes = spec.bytesOfStep!({ batchSize: images, imageSize, slots: slotsOf(config) });
    const differs = aspect !== undefined || (!fixed && differ(sizes, spec.input, sides));
    return differs ? withManyShapes(bytes) : bytes;
  };
  const now = { batchSize: config.batchSize, limits };
  const available = availableMemory() + process.memoryUsage.rss(); // what this process has already is in the estimate
  onEvent({
    kind: 'note',
    text: `Memory: about ${gibibytes(estimate(now))} at its peak, of ${gibibytes(available)} available.`,
  });
  if (config.memory !== 'check') return;
  const minSizeFlag = config.model['trainMinSize'] === undefined ? undefined : '--model.train-min-size';
  requireMemory(now, estimate, available, minSizeFlag);
}

/** The sides that an option can change; undefined where the detector sees one size only. */
function limitsOf({ resize }: InputSpec): SideLimits | undefined {
  if (resize.rule !== 'torchvision') return undefined;
  const { minSize, maxSize, trainingSizes = [minSize] } = resize;
  return { minSize: Math.max(...trainingSizes), maxSize };
}

/** The worst batch of parts: the narrowest of all, and where there are several, one upright beside one lying. */
function paddedParts(aspect: number, { minSize, maxSize }: SideLimits, images: number): ImageSize {
  const padded = (side: number): number => Math.ceil(side / 32) * 32;
  const long = padded(Math.min(aspect * minSize, maxSize));
  return [long, images > 1 ? long : padded(minSize)];
}

/** Whether images are not of one shape where a batch begins. */
function differ(sizes: readonly ImageSize[], { resize }: InputSpec, limits: SideLimits | undefined): boolean {
  if (resize.rule !== 'torchvision') return false;
  const shapeOf = (size: ImageSize): string => batchSizeOf([size], limits ?? resize).join();
  const first = sizes[0] && shapeOf(sizes[0]);
  return sizes.some((size) => shapeOf(size) !== first);
}

function paddedSize(sizes: readonly ImageSize[], { resize }: InputSpec, limits: SideLimits | undefined): ImageSize {
  if (limits !== undefined) return batchSizeOf(sizes, limits);
  return resize.rule === 'torchvision' ? batchSizeOf(sizes, resize) : resize.size;
}
