import type { ImageSize } from '@rcnn/core';

/**
 * The size that a PNG, JPEG, GIF or WebP claims in its header, or undefined for anything else. Reads no pixels: what a
 * browser would unpack can be refused first.
 */
export function imageSizeOf(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));
  if (bytes.length < 30) return undefined;
  if (text(1, 3) === 'PNG') return [view.getUint32(20), view.getUint32(16)];
  if (text(0, 3) === 'GIF') return [view.getUint16(8, true), view.getUint16(6, true)];
  if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') return webpSize(view, text(12, 4));
  return bytes[0] === 0xff && bytes[1] === 0xd8 ? jpegSize(view) : undefined;
}

/** Walks the segments to the frame header: SOF0 … SOF15 without the tables that share their numbers. */
function jpegSize(view: DataView): ImageSize | undefined {
  for (let at = 2; at + 9 < view.byteLength; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff)
      at++; // padding
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.getUint16(at + 5), view.getUint16(at + 7)];
    } else at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function webpSize(view: DataView, kind: string): ImageSize | undefined {
  if (kind === 'VP8X') return [1 + uint24(view, 27), 1 + uint24(view, 24)];
  if (kind === 'VP8 ') return [view.getUint16(28, true) & 0x3fff, view.getUint16(26, true) & 0x3fff];
  if (kind !== 'VP8L') return undefined;
  const bits = view.getUint32(21, true);
  return [1 + ((bits >>> 14) & 0x3fff), 1 + (bits & 0x3fff)];
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}
