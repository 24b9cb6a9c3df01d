import type { ImageSize, PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { unpackRuns } from './bmp-runs.ts';

/** Where things are in a Windows bitmap (BITMAPINFOHEADER and its larger heirs, or OS/2's first header). */
interface Layout {
  readonly size: ImageSize;
  readonly topDown: boolean;
  readonly inRuns: boolean;
  readonly bits: number;
  /** Byte offset of the pixels, and of the palette with bytes per entry. */
  readonly pixels: number;
  readonly palette: number;
  readonly entry: number;
  /** Red, green and blue of 16 and 32 bit pixels. */
  readonly masks: readonly [red: number, green: number, blue: number];
}

/** `[height, width]` of a Windows bitmap. @throws IMAGE_CORRUPT */
export function bmpSize(bytes: Uint8Array, name: string): ImageSize {
  return layoutOf(bytes, name).size;
}

/**
 * Decodes a Windows bitmap with 1, 4, 8, 16, 24 or 32 bits a pixel, also one in runs (RLE); sharp reads none. A fourth channel is
 * dropped, as everywhere.
 * @throws IMAGE_CORRUPT
 */
export function decodeBmp(bytes: Uint8Array, name: string): PixelImage {
  const stated = layoutOf(bytes, name);
  if (stated.inRuns) return decodeRuns(bytes, stated, name);
  return decodeRows(bytes, stated, name);
}

/** The same bitmap without runs, decoded. */
function decodeRuns(bytes: Uint8Array, layout: Layout, name: string): PixelImage {
  const rows = unpackRuns(bytes.subarray(layout.pixels), layout.bits, ...layout.size);
  if (rows === undefined) throw corrupt(name, 'the pixels end too early');
  const plain = new Uint8Array(layout.pixels + rows.length);
  plain.set(bytes.subarray(0, layout.pixels));
  plain.set(rows, layout.pixels);
  return decodeRows(plain, { ...layout, bits: 8 }, name);
}

function decodeRows(bytes: Uint8Array, layout: Layout, name: string): PixelImage {
  const [height, width] = layout.size;
  const stride = 4 * Math.ceil((width * layout.bits) / 32); // rows end at a multiple of four bytes
  if (layout.pixels + stride * height > bytes.length) throw corrupt(name, 'the pixels end too early');
  const data = new Uint8Array(height * width * 3);
  const colorAt = colorReader(bytes, layout);
  for (let y = 0; y < height; y++) {
    const row = layout.pixels + stride * (layout.topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const color = colorAt(row, x);
      const to = 3 * (y * width + x);
      data[to] = color >>> 16;
      data[to + 1] = (color >>> 8) & 0xff;
      data[to + 2] = color & 0xff;
    }
  }
  return { data, height, width, channels: 3 };
}

function layoutOf(bytes: Uint8Array, name: string): Layout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 26) throw corrupt(name, 'the header ends too early');
  const header = view.getUint32(14, true);
  const pixels = view.getUint32(10, true);
  if (header === 12) {
    const size = [view.getUint16(20, true), view.getUint16(18, true)] as const;
    return checked(
      {
        size,
        topDown: false,
        inRuns: false,
        bits: view.getUint16(24, true),
        pixels,
        palette: 26,
        entry: 3,
        masks: RGB555,
      },
      name,
    );
  }
  if (header < 40 || bytes.length < 14 + header) throw corrupt(name, 'the header is not that of a bitmap');
  const height = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const inRuns = (compression === 1 && bits === 8) || (compression === 2 && bits === 4);
  const hasMasks = (compression === 3 && header !== 64) || compression === 6; // 3 in a header of OS/2 is another packing
  if (compression !== 0 && !inRuns && !hasMasks) throw corrupt(name, 'it is packed in a way that is not read');
  if (hasMasks && bytes.length < 66) throw corrupt(name, 'the header ends too early');
  const mask = (i: number): number => view.getUint32(54 + 4 * i, true);
  const masks = !hasMasks ? (bits === 16 ? RGB555 : RGB888) : ([mask(0), mask(1), mask(2)] as const);
  const palette = 14 + header + (hasMasks && header === 40 ? 12 : 0);
  const size = [Math.abs(height), view.getInt32(18, true)] as const;
  return checked({ size, topDown: height < 0, inRuns, bits, pixels, palette, entry: 4, masks }, name);
}

const RGB555 = [0x7c00, 0x3e0, 0x1f] as const;
const RGB888 = [0xff0000, 0xff00, 0xff] as const;

function checked(layout: Layout, name: string): Layout {
  const { size, bits } = layout;
  if (!(size[0] > 0 && size[1] > 0)) throw corrupt(name, 'the header states no size');
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw corrupt(name, `${bits} bits a pixel are not those of a bitmap`);
  return layout;
}

/** Reads the pixel `x` of the row at a byte offset, as `0xRRGGBB`. */
function colorReader(
  bytes: Uint8Array,
  { bits, palette, entry, masks, pixels }: Layout,
): (row: number, x: number) => number {
  const blueFirst = (at: number): number => (bytes[at + 2]! << 16) | (bytes[at + 1]! << 8) | bytes[at]!;
  if (bits === 24) return (row, x) => blueFirst(row + 3 * x);
  if (bits > 8) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const value = (row: number, x: number): number =>
      bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
    const channels = masks.map(channelOf);
    return (row, x) => {
      const pixel = value(row, x);
      return (channels[0]!(pixel) << 16) | (channels[1]!(pixel) << 8) | channels[2]!(pixel);
    };
  }
  const colors = Math.min(2 ** bits, Math.max(0, Math.floor((pixels - palette) / entry)));
  const indexAt = (row: number, x: number): number => {
    const bit = x * bits;
    return (bytes[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
  };
  return (row, x) => {
    const index = indexAt(row, x);
    return index < colors ? blueFirst(palette + entry * index) : 0;
  };
}

/** A channel of a pixel, stretched to 0 … 255. */
function channelOf(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.floor((((pixel & mask) >>> shift) * 255) / most);
}

function corrupt(name: string, why: string): RcnnError {
  return new RcnnError('IMAGE_CORRUPT', {
    where: name,
    problem: 'the image cannot be decoded',
    found: `a BMP: ${why}`,
    hint: 'Fetch the file again, or convert it to PNG.',
  });
}
