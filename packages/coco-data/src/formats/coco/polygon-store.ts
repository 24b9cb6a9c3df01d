import type { Segmentation } from '../../records.ts';

type Polygons = Extract<Segmentation, { kind: 'polygons' }>;
type Parts = readonly (readonly number[])[];

const SLAB = 2 ** 20; // bytes

/**
 * Keeps the polygons of a whole file in a few large arrays. Arrays of their own, of which a file of COCO's size has a
 * million, would take more memory than the numbers in them.
 */
export class PolygonStore {
  #bytes = new Uint8Array(0);
  #bytesUsed = 0;
  #floats = new Float64Array(0);
  #floatsUsed = 0;

  /** @param parts flat `x, y, …` lists of finite numbers */
  add(parts: Parts): Polygons {
    const numbers = parts.reduce((sum, part) => sum + part.length, 1 + parts.length);
    return parts.every((part) => part.every(isHundredths)) ? this.#pack(parts, numbers) : this.#keep(parts, numbers);
  }

  #pack(parts: Parts, numbers: number): Polygons {
    const room = MAX_BYTES * numbers;
    if (this.#bytesUsed + room > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(SLAB, room));
      this.#bytesUsed = 0;
    }
    const start = this.#bytesUsed;
    this.#bytesUsed = pack(parts, this.#bytes, start);
    return new StoredPolygons(this.#bytes, start);
  }

  #keep(parts: Parts, numbers: number): Polygons {
    if (this.#floatsUsed + numbers > this.#floats.length) {
      this.#floats = new Float64Array(Math.max(SLAB / 8, numbers));
      this.#floatsUsed = 0;
    }
    const start = this.#floatsUsed;
    let at = start;
    this.#floats[at++] = parts.length;
    for (const part of parts) {
      this.#floats[at++] = part.length;
      this.#floats.set(part, at);
      at += part.length;
    }
    this.#floatsUsed = at;
    return new StoredPolygons(this.#floats, start);
  }
}

/** Polygons in a store; `parts` are made when asked for. Its memory is private, so no message between threads copies it. */
class StoredPolygons implements Polygons {
  readonly kind = 'polygons';
  readonly #numbers: Uint8Array | Float64Array;
  readonly #start: number;

  constructor(numbers: Uint8Array | Float64Array, start: number) {
    this.#numbers = numbers;
    this.#start = start;
  }

  get parts(): readonly Float64Array[] {
    const numbers = this.#numbers;
    if (numbers instanceof Uint8Array) return unpack(numbers, this.#start);
    let at = this.#start;
    return Array.from({ length: numbers[at++]! }, () => {
      const length = numbers[at++]!;
      at += length;
      return numbers.slice(at - length, at);
    });
  }
}

// COCO's coordinates have two decimals. As whole hundredths, each less the one before it on its axis, most take two bytes
// instead of eight and come back to the last bit. A byte has seven bits, and one that tells whether more follow.

/** Hundredths within 30 bits: their differences then stay within 32, sign included. */
const MAX_HUNDREDTHS = 2 ** 29;

const MAX_BYTES = 5;

function isHundredths(value: number): boolean {
  const rounded = Math.round(value * 100);
  return Math.abs(rounded) < MAX_HUNDREDTHS && rounded / 100 === value;
}

/** @returns the place after what was written */
function pack(parts: Parts, bytes: Uint8Array, start: number): number {
  let at = writeWhole(bytes, start, parts.length);
  for (const part of parts) {
    at = writeWhole(bytes, at, part.length);
    let before = 0;
    let twoBefore = 0;
    for (const value of part) {
      const rounded = Math.round(value * 100);
      const step = rounded - twoBefore;
      at = writeWhole(bytes, at, (step << 1) ^ (step >> 31)); // the sign in the lowest bit
      twoBefore = before;
      before = rounded;
    }
  }
  return at;
}

function writeWhole(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = rest | 0x80;
  bytes[at++] = rest;
  return at;
}

function unpack(bytes: Uint8Array, start: number): readonly Float64Array[] {
  let at = start;
  const readWhole = (): number => {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f);
    return value >>> 0;
  };
  return Array.from({ length: readWhole() }, () => {
    const part = new Float64Array(readWhole());
    let before = 0;
    let twoBefore = 0;
    for (let i = 0; i < part.length; i++) {
      const code = readWhole();
      const rounded = twoBefore + ((code >>> 1) ^ -(code & 1));
      part[i] = rounded / 100;
      twoBefore = before;
      before = rounded;
    }
    return part;
  });
}
