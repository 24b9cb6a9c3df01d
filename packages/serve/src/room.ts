import { RcnnError } from '@rcnn/core/errors';

interface Guest {
  readonly pixels: number;
  readonly enter: () => void;
}

/**
 * Bounds how many pixels are held in memory at once. A picture of one color is a small file and a large picture: without
 * this, as many as there are requests would lie side by side. Whoever finds no room waits, in the order of coming.
 */
export class PixelRoom {
  readonly #size: number;
  readonly #waiting: Guest[] = [];
  #held = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Does the work when there is room for its picture; one above the whole size gets the whole. @throws INTERRUPTED */
  async hold<T>(pixels: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const needed = Math.min(pixels, this.#size);
    await this.#enter(needed, signal);
    try {
      return await work();
    } finally {
      this.#held -= needed;
      this.#letIn();
    }
  }

  #enter(pixels: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(guest), 1);
        this.#letIn(); // whoever stood behind may fit
        reject(new RcnnError('INTERRUPTED', { where: 'serve', problem: 'nobody waits for this answer any more' }));
      };
      const guest: Guest = {
        pixels,
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.push(guest);
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#letIn();
    });
  }

  #letIn(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#held + first.pixels > this.#size) return;
      this.#waiting.shift();
      this.#held += first.pixels;
      first.enter();
    }
  }
}
