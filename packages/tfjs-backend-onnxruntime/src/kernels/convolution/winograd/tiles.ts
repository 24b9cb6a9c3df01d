/** Maps cut into tiles of 4x4 pixels, and the 36 planes that Winograd's transforms make of them. */
import { type Simd, simdWithFloats } from '../../../simd.ts';
import { TILE } from '../../../winograd-cost.ts';
import type { Maps } from '../../layout.ts';

export { TILE };

/** Pixels of the input that it reads: two more, because the filter is 3 wide. */
export const REACH: number = TILE + 2;
/** Numbers of a tile: as many products of matrices. */
export const PLANES: number = REACH * REACH;

/** The tiles of a batch of maps, row by row. */
export interface Tiling {
  readonly across: number;
  /** Rows of tiles in an image, and in all of them. */
  readonly down: number;
  readonly rows: number;
}

export function tilingOf({ n, h, w }: Pick<Maps, 'n' | 'h' | 'w'>): Tiling {
  const [across, down] = [Math.ceil(w / TILE), Math.ceil(h / TILE)];
  return { across, down, rows: n * down };
}

/** Rows of tiles that are taken together. */
export interface Strip {
  readonly first: number;
  readonly count: number;
  /**
   * How many tiles its planes have: an odd number, so one more than there are if need be. Planes that lie a multiple of 4096
   * bytes apart, as 64 or more channels would make them, push each other out of the cache: that costs up to half of the time.
   */
  readonly tiles: number;
}

/** Cuts the tiles into strips of about `tiles` tiles, whose planes have at most about `floats` numbers. */
export function stripsOf({ across, rows }: Tiling, channels: number, tiles: number, floats: number): Strip[] {
  const most = Math.min(tiles, floats / (PLANES * channels));
  const step = Math.max(1, Math.round(most / across));
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => {
    const count = Math.min(step, rows - i * step);
    return { first: i * step, count, tiles: (count * across) | 1 };
  });
}

/** Zeros in the tile of each plane that is there only to make them odd: sums over tiles take it, too. */
export function clearUnused({ across }: Tiling, { count, tiles }: Strip, channels: number, planes: Float32Array): void {
  if (count * across === tiles) return;
  for (let plane = 1; plane <= PLANES; plane++) {
    const end = plane * tiles * channels;
    planes.fill(0, end - channels, end);
  }
}

/** Hands on each row of tiles of a strip: its image, its first row of pixels there, and its first tile in the strip. */
export function eachRow(
  { across, down }: Tiling,
  { first, count }: Strip,
  work: (image: number, top: number, tile: number) => void,
): void {
  for (let i = 0; i < count; i++) {
    const row = first + i;
    work(Math.floor(row / down), TILE * (row % down), i * across);
  }
}

/** A piece of the memory of the kernels. */
export interface Place {
  /** In bytes. */
  readonly address: number;
  readonly floats: Float32Array;
}

/** What the kernels keep half done, in floats: two times 36 numbers of 16 channels. */
const SPARE = 2 * PLANES * 16;

/** The kernels, and pieces of their memory of these lengths: until the next call. `spare` is an address. */
export interface Memory<Places> {
  readonly simd: Simd;
  readonly spare: number;
  readonly places: Places;
}

export function memoryOf<Lengths extends readonly number[]>(
  ...lengths: Lengths
): Memory<{ readonly [I in keyof Lengths]: Place }> {
  const starts = [SPARE];
  for (const length of lengths) starts.push(starts.at(-1)! + LINE * Math.ceil(length / LINE));
  const { simd, floats } = simdWithFloats(starts.at(-1)!);
  const places = lengths.map((length, i): Place => {
    const start = starts[i]!;
    return { address: 4 * start, floats: floats.subarray(start, start + length) };
  });
  return { simd, spare: 0, places: places as never };
}

/** Floats of a line of the cache. */
const LINE = 16;

/**
 * Where the kernels find the first plane of a tile of a strip, and how far it is to the next one. `backwards`, the planes
 * lie the other way around.
 */
export function planesAt(
  { address }: Place,
  { tiles }: Strip,
  tile: number,
  channels: number,
  backwards = false,
): readonly [address: number, step: number] {
  const [plane, first] = [4 * tiles * channels, address + 4 * tile * channels];
  return backwards ? [first + (PLANES - 1) * plane, -plane] : [first, plane];
}

/** Copies `count` rows of an image from pixel (`top`, `left`) on into rows of `width` pixels; zeros outside of the map. */
export function layRows(
  { data, h, w, c }: Maps,
  image: number,
  top: number,
  left: number,
  count: number,
  width: number,
  target: Float32Array,
): void {
  const first = Math.min(width, Math.max(0, -left)); // of the `width` pixels, those inside the map
  const end = Math.max(first, Math.min(width, w - left));
  for (let i = 0; i < count; i++) {
    const at = i * width * c;
    const row = top + i;
    if (row < 0 || row >= h || first === end) {
      target.fill(0, at, at + width * c);
      continue;
    }
    const source = ((image * h + row) * w + left) * c;
    target.fill(0, at, at + first * c);
    target.set(data.subarray(source + first * c, source + end * c), at + first * c);
    target.fill(0, at + end * c, at + width * c);
  }
}

/** Copies those of the four rows of `width` pixels that lie inside of the map. */
export function writeRows(
  { data, h, w, c }: Maps,
  image: number,
  top: number,
  width: number,
  rows: Float32Array,
): void {
  const count = Math.min(TILE, h - top);
  for (let i = 0; i < count; i++) {
    data.set(rows.subarray(i * width * c, (i * width + w) * c), (image * h + top + i) * w * c);
  }
}
