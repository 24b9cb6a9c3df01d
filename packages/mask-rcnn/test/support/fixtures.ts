import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bytesSource, openSafetensors } from '@rcnn/checkpoint';
import type { InstanceMask, PixelImage, Target } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import sharp from 'sharp';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** A fixture image, decoded: `a` is 240x320, `b` 333x241 (height x width). */
export async function fixtureImage(name: 'a' | 'b'): Promise<PixelImage> {
  const { data, info } = await sharp(`${folder}${name}.png`).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), height: info.height, width: info.width, channels: 3 };
}

/** The numbers of a fixture file, as they were stored. */
export class Fixture {
  readonly #tensors: ReadonlyMap<string, Stored>;
  readonly salt: string;

  private constructor(tensors: ReadonlyMap<string, Stored>, salt: string) {
    this.#tensors = tensors;
    this.salt = salt;
  }

  static async read(name: string): Promise<Fixture> {
    const bytes = await readFile(`${folder}${name}.safetensors`);
    const source = await openSafetensors(bytesSource(new Uint8Array(bytes), name));
    const tensors = new Map<string, Stored>();
    for (const entry of source.tensors.values()) {
      const { buffer } = await entry.read();
      const View = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[entry.dtype as 'float32'];
      tensors.set(entry.name, { shape: entry.shape, values: new View(buffer) });
    }
    return new Fixture(tensors, source.metadata.get('salt') ?? '');
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#get(name).shape;
  }

  floats(name: string): Float32Array {
    return this.#get(name).values as Float32Array;
  }

  integers(name: string): Int32Array {
    return this.#get(name).values as Int32Array;
  }

  /** Masks that were stored as bits: one row-major bitmap each. */
  bitmaps(name: string): { size: [number, number]; bitmaps: Uint8Array[] } {
    const bits = this.#get(`${name}.bits`).values as unknown as Uint8Array;
    const [count, height, width] = this.integers(`${name}.shape`) as unknown as [number, number, number];
    const bitmaps = Array.from({ length: count }, (_, k) =>
      Uint8Array.from({ length: height * width }, (_, i) => {
        const at = k * height * width + i;
        return (bits[at >> 3]! >> (7 - (at & 7))) & 1;
      }),
    );
    return { size: [height, width], bitmaps };
  }

  /** The objects of image `i` of a training fixture. */
  target(i: number): Target {
    const at = `targets.${i}`;
    const { size, bitmaps } = this.bitmaps(`${at}.masks`);
    const masks: InstanceMask[] = bitmaps.map((bitmap) => Mask.fromBitmap(bitmap, size));
    return { boxes: this.floats(`${at}.boxes`), labels: this.integers(`${at}.labels`), masks };
  }

  #get(name: string): Stored {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`the fixture has no '${name}'; it has ${this.names.join(', ')}`);
    return tensor;
  }
}

type NumberArray = Float32Array | Int32Array | Uint8Array;

interface Stored {
  readonly shape: readonly number[];
  readonly values: NumberArray;
}
