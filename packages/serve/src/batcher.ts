import type { Detection, PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';

/** What a server needs of a model. */
export type Detect = (
  images: readonly PixelImage[],
  options: { readonly maskThreshold: number },
) => Promise<readonly (readonly Detection[])[]>;

interface Waiting {
  readonly image: PixelImage;
  readonly maskThreshold: number;
  readonly resolve: (found: readonly Detection[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gives a model one batch at a time, made of images that came meanwhile. Only images of one size and one threshold share
 * a batch: others would be padded, and what is found in an image must not depend on who else asks.
 */
export class Batcher {
  readonly #detect: Detect;
  readonly #maxBatch: number;
  readonly #maxWait: number;
  readonly #waiting: Waiting[] = [];
  readonly #onBatch: (size: number, seconds: number) => void;
  #running = false;

  constructor(
    detect: Detect,
    { maxBatch, maxWait }: { readonly maxBatch: number; readonly maxWait: number },
    onBatch: (size: number, seconds: number) => void = () => undefined,
  ) {
    this.#detect = detect;
    this.#maxBatch = maxBatch;
    this.#maxWait = maxWait;
    this.#onBatch = onBatch;
  }

  /** Images that wait for the model. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * What is in an image. Aborted before its turn, it leaves the queue; the model is not stopped in the middle.
   * @throws INTERRUPTED, and what the model throws
   */
  find(image: PixelImage, maskThreshold: number, signal?: AbortSignal): Promise<readonly Detection[]> {
    return new Promise((resolve, reject) => {
      const waiting = { image, maskThreshold, resolve, reject };
      const leave = (): void => {
        const place = this.#waiting.indexOf(waiting);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(new RcnnError('INTERRUPTED', { where: 'serve', problem: 'nobody waits for this answer any more' }));
      };
      if (signal?.aborted === true) return leave();
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length > 0) {
      if (this.#maxWait > 0 && this.#waiting.length < this.#maxBatch) await pause(this.#maxWait);
      const batch = this.#take();
      if (batch.length > 0) await this.#answer(batch);
    }
    this.#running = false;
  }

  /** The image that waits longest, and those that fit it. */
  #take(): Waiting[] {
    const [first] = this.#waiting;
    if (first === undefined) return [];
    const fits = ({ image, maskThreshold }: Waiting): boolean =>
      image.height === first.image.height && image.width === first.image.width && maskThreshold === first.maskThreshold;
    const batch = this.#waiting.filter(fits).slice(0, this.#maxBatch);
    for (const waiting of batch) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    return batch;
  }

  async #answer(batch: readonly Waiting[]): Promise<void> {
    const begin = performance.now();
    try {
      const found = await this.#detect(
        batch.map(({ image }) => image),
        { maskThreshold: batch[0]!.maskThreshold },
      );
      for (const [i, { resolve }] of batch.entries()) resolve(found[i]!);
    } catch (error) {
      if (batch.length === 1) batch[0]!.reject(error);
      else for (const one of batch) await this.#answer([one]); // one image costs itself, not its neighbors
    } finally {
      this.#onBatch(batch.length, (performance.now() - begin) / 1000);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
