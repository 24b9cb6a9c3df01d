import { RcnnError } from '@rcnn/core/errors';
import type { Dataset } from '../dataset.ts';
import { MAX_SKIP_RATE } from '../dataset-settings.ts';
import type { SkippedSample } from './batch.ts';

/** Counts samples that are left out, and stops when they are too many to go on without. */
export class SkipLimit {
  readonly #dataset: Pick<Dataset, 'name' | 'length'>;
  readonly #rate: number;
  #count = 0;

  constructor(dataset: Pick<Dataset, 'name' | 'length'>, rate: number = MAX_SKIP_RATE) {
    this.#dataset = dataset;
    this.#rate = rate;
  }

  /** @throws DATASET_INVALID above the rate; one bad sample is always allowed, unless the rate is 0 */
  add({ index, imageId, message }: SkippedSample): void {
    this.#count++;
    const { name, length } = this.#dataset;
    const allowed = this.#rate === 0 ? 0 : Math.max(1, this.#rate * length);
    if (this.#count <= allowed) return;
    throw new RcnnError('DATASET_INVALID', {
      where: `loader of '${name}'`,
      place: `sample ${index} (image ${imageId})`,
      problem: `too many samples cannot be loaded: ${this.#count} of ${Math.ceil(length)}`,
      found: message,
      expected: `at most ${this.#rate * 100} %`,
      hint: "Run 'mask-rcnn doctor' on the dataset, or raise maxSkipRate (--max-skip-rate).",
    });
  }
}
