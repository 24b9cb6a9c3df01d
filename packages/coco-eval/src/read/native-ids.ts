import { Kernel } from '../kernel.ts';

const SLOT = 16; // bytes

/** From ids that are numbers to their places in a list, by WebAssembly. */
export class NativeIds {
  readonly #kernel: Kernel;
  readonly #table: number;
  readonly #slots: number;

  /** undefined where WebAssembly is missing. @param ids each once */
  static of(ids: Float64Array): NativeIds | undefined {
    const kernel = Kernel.make();
    return kernel && new NativeIds(kernel, ids);
  }

  private constructor(kernel: Kernel, ids: Float64Array) {
    this.#kernel = kernel;
    this.#slots = 2 ** Math.ceil(Math.log2(2 * ids.length + 2)); // at least half of them free
    this.#table = kernel.room(SLOT * this.#slots); // zeros, as all new memory
    const own = kernel.free;
    kernel.run.indexIds(kernel.copy(ids), ids.length, this.#table, this.#slots);
    kernel.release(own);
  }

  /** The place of each id, or -1, and how many have none. */
  find(ids: Float64Array): { readonly places: Int32Array; readonly missing: number } {
    const kernel = this.#kernel;
    const own = kernel.free;
    const column = kernel.copy(ids);
    const places = kernel.room(4 * ids.length);
    const missing = kernel.run.findIds(column, ids.length, this.#table, this.#slots, places);
    kernel.release(own);
    return { places: kernel.integers(places, ids.length).slice(), missing };
  }
}
