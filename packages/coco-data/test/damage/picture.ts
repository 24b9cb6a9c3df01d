// Pictures in which every object has a colour of its own, so that what a copy says can be compared with what is to be seen.
import sharp from 'sharp';

export type Point = readonly [x: number, y: number];
export type Part = readonly Point[];

/** One object as it was drawn. */
export interface Drawn {
  readonly color: number;
  readonly className: string;
  readonly parts: readonly Part[];
}

export const HEIGHT = 48;
export const WIDTH = 64;

/** Well apart, also after JPEG; an object's colour tells which it is. */
export const COLORS: readonly (readonly [number, number, number])[] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 0],
];
const GROUND = 128;

/** Flat coordinates of a part, as COCO writes them. */
export function flat(part: Part): number[] {
  return part.flatMap(([x, y]) => [x, y]);
}

/** Pixels whose centres lie inside, by the crossing rule; 1 byte each, row by row. */
export function raster(parts: readonly Part[], [height, width]: readonly [number, number]): Uint8Array {
  const bits = new Uint8Array(height * width);
  for (const part of parts) {
    const [left, right] = reach(part, 0, width);
    const [top, bottom] = reach(part, 1, height);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) if (isInside(part, x + 0.5, y + 0.5)) bits[y * width + x] = 1;
    }
  }
  return bits;
}

/** The pixels of a side that a part can reach, and one more. */
function reach(part: Part, axis: 0 | 1, side: number): readonly [from: number, to: number] {
  const at = part.map((point) => point[axis]);
  if (!at.every(Number.isFinite)) return [0, side];
  const [low, high] = [Math.floor(Math.min(...at)) - 1, Math.ceil(Math.max(...at)) + 1];
  return [Math.min(side, Math.max(0, low)), Math.max(0, Math.min(side, high))];
}

function isInside(part: Part, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = part.length - 1; i < part.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [part[i]!, part[j]!];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** `x, y, width, height` around the parts. */
export function boxOf(parts: readonly Part[]): [number, number, number, number] {
  const [xs, ys] = [parts.flat().map(([x]) => x), parts.flat().map(([, y]) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y];
}

export function boxPart([x, y, width, height]: readonly number[]): Part {
  return [
    [x!, y!],
    [x! + width!, y!],
    [x! + width!, y! + height!],
    [x!, y! + height!],
  ];
}

/** Most sets have BMPs: what happens to a set has nothing to do with how its pictures are packed, and these cost least. */
export type Format = 'bmp' | 'png' | 'jpg';

/** The picture as a file. With an orientation, stored pixels are such that the picture is shown as drawn. */
export async function pictureFile(objects: readonly Drawn[], format: Format, orientation = 1): Promise<Uint8Array> {
  const data = new Uint8Array(HEIGHT * WIDTH * 3).fill(GROUND);
  for (const { color, parts } of objects) {
    const bits = raster(parts, [HEIGHT, WIDTH]);
    for (let i = 0; i < bits.length; i++) if (bits[i] === 1) data.set(COLORS[color]!, 3 * i);
  }
  if (format === 'bmp') return bitmapFile(data, HEIGHT, WIDTH);
  let picture = sharp(data, { raw: { height: HEIGHT, width: WIDTH, channels: 3 } });
  // 6 means: turn by 90 degrees clockwise to show. 8: the other way.
  if (orientation === 6) picture = picture.rotate(270);
  if (orientation === 8) picture = picture.rotate(90);
  picture = format === 'png' ? picture.png() : picture.jpeg({ quality: 98, chromaSubsampling: '4:4:4' });
  if (orientation > 1) picture = picture.withMetadata({ orientation });
  return picture.toBuffer();
}

/** The same of half the size, in the same pixels. */
export async function halfPicture(objects: readonly Drawn[]): Promise<Uint8Array> {
  const whole = pixelsOfBitmap(await pictureFile(objects, 'bmp'));
  const [height, width] = [HEIGHT / 2, WIDTH / 2];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (2 * y * WIDTH + 2 * x);
      data.set(whole.data.subarray(at, at + 3), 3 * (y * width + x));
    }
  }
  return bitmapFile(data, height, width);
}

const HEADER = 54;

/** Rows from the bottom, blue first. The widths here are multiples of 4: no row needs bytes to fill it up. */
function bitmapFile(rgb: Uint8Array, height: number, width: number): Uint8Array {
  const file = new Uint8Array(HEADER + rgb.length);
  const view = new DataView(file.buffer);
  file.set([0x42, 0x4d]); // BM
  const numbers = [file.length, 0, HEADER, 40, width, height, 0x180001, 0, rgb.length]; // 24 bits, 1 plane
  for (const [i, number] of numbers.entries()) view.setUint32(2 + 4 * i, number, true);
  for (let at = 0; at < rgb.length; at += 3) {
    const [row, column] = [Math.floor(at / 3 / width), (at / 3) % width];
    const to = HEADER + 3 * ((height - 1 - row) * width + column);
    for (let c = 0; c < 3; c++) file[to + c] = rgb[at + 2 - c]!;
  }
  return file;
}

interface Pixels {
  readonly data: Uint8Array;
  readonly info: { readonly height: number; readonly width: number; readonly channels: number };
}

function pixelsOfBitmap(file: Uint8Array): Pixels {
  const view = new DataView(file.buffer, file.byteOffset);
  const [width, height] = [view.getUint32(18, true), view.getUint32(22, true)];
  const data = new Uint8Array(height * width * 3);
  for (let at = 0; at < data.length; at += 3) {
    const [row, column] = [Math.floor(at / 3 / width), (at / 3) % width];
    const from = HEADER + 3 * ((height - 1 - row) * width + column);
    for (let c = 0; c < 3; c++) data[at + c] = file[from + 2 - c]!;
  }
  return { data, info: { height, width, channels: 3 } };
}

/** What of each colour is to be seen in a file, and its size. Read without turning: a copy is upright. */
export async function seen(file: Uint8Array): Promise<{ size: [number, number]; colors: Uint8Array[] }> {
  const isBitmap = file[0] === 0x42 && file[1] === 0x4d;
  const { data, info } = isBitmap
    ? pixelsOfBitmap(file)
    : await sharp(file, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
  const colors = COLORS.map(() => new Uint8Array(info.height * info.width));
  for (let i = 0; i < info.height * info.width; i++) {
    const at = i * info.channels;
    const isNear = (color: (typeof COLORS)[number]): boolean =>
      color.every((value, c) => Math.abs(data[at + c]! - value) < 70);
    if (data[at] === GROUND && data[at + 1] === GROUND && data[at + 2] === GROUND) continue;
    for (const [k, color] of COLORS.entries()) if (isNear(color)) colors[k]![i] = 1;
  }
  return { size: [info.height, info.width], colors };
}
