import type { PixelImage } from '@rcnn/core';
import { isRcnnError } from '@rcnn/core/errors';
import type { Dataset } from '../dataset.ts';
import type { DatasetSettings } from '../dataset-settings.ts';
import type { SkippedSample } from './batch.ts';
import type { Sample } from './sample.ts';
import { SkipLimit } from './skip-limit.ts';

/** A sample with its pixels. */
export interface LoadedSample extends Sample {
  readonly index: number;
  readonly pixels: PixelImage;
}

export interface UsableSamplesOptions extends Pick<DatasetSettings, 'badSamples' | 'maxSkipRate'> {
  /** Told of every sample that is left out. */
  readonly onSkip?: (sample: SkippedSample) => void;
}

/**
 * Samples with their pixels, one after the other, for whatever looks at single images instead of batches. A bad one is
 * thrown or, with `badSamples: 'skip'`, left out and told.
 * @throws what the store throws; DATASET_INVALID when too many are bad
 */
export async function* usableSamples(
  dataset: Dataset,
  indices: Iterable<number>,
  { badSamples = 'fail', maxSkipRate, onSkip }: UsableSamplesOptions = {},
): AsyncGenerator<LoadedSample> {
  const limit = new SkipLimit(dataset, maxSkipRate);
  for (const index of indices) {
    const sample = dataset.sample(index);
    let pixels: PixelImage;
    try {
      pixels = await dataset.store.load(sample.image);
    } catch (error) {
      if (badSamples === 'fail' || !isRcnnError(error)) throw error;
      const skipped = { index, imageId: sample.image.id, message: error.message };
      onSkip?.(skipped);
      limit.add(skipped);
      continue;
    }
    yield { ...sample, index, pixels };
  }
}
