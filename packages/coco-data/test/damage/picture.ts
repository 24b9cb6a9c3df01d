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
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) if (isInside(part, x + 0.5, y + 0.5)) bits[y * width + x] = 1;
    }
  }
  return bits;
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

const drawn = new Map<string, Promise<Uint8Array>>();

/** The picture as a file; the same objects give the same bytes, made once. */
export function pictureFile(objects: readonly Drawn[], format: 'png' | 'jpg', orientation = 1): Promise<Uint8Array> {
  const key = JSON.stringify([objects, format, orientation]);
  let file = drawn.get(key);
  if (file === undefined) drawn.set(key, (file = encode(objects, format, orientation)));
  return file;
}

/** With an orientation, stored pixels are such that the picture is shown as drawn. */
async function encode(objects: readonly Drawn[], format: 'png' | 'jpg', orientation: number): Promise<Uint8Array> {
  const data = new Uint8Array(HEIGHT * WIDTH * 3).fill(GROUND);
  for (const { color, parts } of objects) {
    for (const [i, bit] of raster(parts, [HEIGHT, WIDTH]).entries()) if (bit) data.set(COLORS[color]!, 3 * i);
  }
  let picture = sharp(data, { raw: { height: HEIGHT, width: WIDTH, channels: 3 } });
  // 6 means: turn by 90 degrees clockwise to show. 8: the other way.
  if (orientation === 6) picture = picture.rotate(270);
  if (orientation === 8) picture = picture.rotate(90);
  picture = format === 'png' ? picture.png() : picture.jpeg({ quality: 98, chromaSubsampling: '4:4:4' });
  if (orientation > 1) picture = picture.withMetadata({ orientation });
  return picture.toBuffer();
}

/** What of each colour is to be seen in a file, and its size. Read without turning: a copy is upright. */
export async function seen(file: Uint8Array): Promise<{ size: [number, number]; colors: Uint8Array[] }> {
  const { data, info } = await sharp(file, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
  const colors = COLORS.map(() => new Uint8Array(info.height * info.width));
  for (let i = 0; i < info.height * info.width; i++) {
    const at = i * info.channels;
    for (const [k, color] of COLORS.entries())
      if (color.every((value, c) => Math.abs(data[at + c]! - value) < 70)) colors[k]![i] = 1;
  }
  return { size: [info.height, info.width], colors };
}
