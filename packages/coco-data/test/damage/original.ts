// Datasets as they were before anything happened to them, in every format that has a reader.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import { boxOf, type Drawn, type Format, flat, HEIGHT, type Part, pictureFile, raster, WIDTH } from './picture.ts';

export interface OriginalImage {
  readonly file: string;
  readonly objects: readonly Drawn[];
}

export interface OriginalSplit {
  readonly name: string;
  readonly images: readonly OriginalImage[];
}

export const CLASSES = ['red bird', 'cat', 'Hund'] as const;

/** Two splits of a few pictures with one to four objects each; no file is in both. */
export function drawSplits(random: Random): readonly OriginalSplit[] {
  const format: Format = random.chance(0.1) ? 'png' : 'bmp';
  let number = 0;
  return ['train', 'val'].map((name, s) => ({
    name,
    images: Array.from({ length: s === 0 ? 4 : 2 }, () => ({
      file: `p${number++}.${format}`,
      objects: drawObjects(random),
    })),
  }));
}

/** Each object in a quarter of its own, some in two parts. */
function drawObjects(random: Random): readonly Drawn[] {
  const quarters = [0, 1, 2, 3].filter(() => random.chance(0.6));
  if (quarters.length === 0) quarters.push(random.integer(4));
  return quarters.map((quarter) => {
    const [left, top] = [32 * (quarter % 2), 24 * (quarter >> 1)];
    const [x1, y1] = [left + 1 + random.integer(6), top + 1 + random.integer(4)];
    const [x2, y2] = [x1 + 10 + random.integer(6), y1 + 8 + random.integer(4)];
    const corners: Part = [
      [x1, y1],
      [x2, y1],
      [x2, y2],
      [x1, y2],
    ];
    const island: Part = [
      [left + 25, top + 18],
      [left + 29, top + 18],
      [left + 29, top + 22],
    ];
    const parts = random.chance(0.3) ? [corners, island] : [corners];
    return { color: quarter, className: random.pick(CLASSES), parts };
  });
}

export type Json = Record<string, unknown>;

export interface CocoJson {
  images: Json[];
  annotations: Json[];
  categories: Json[];
}

/** As COCO, with polygons and now and then run lengths. */
export function cocoJson({ images }: OriginalSplit, random: Random): CocoJson {
  const annotations: Json[] = [];
  for (const [i, { objects }] of images.entries()) {
    for (const { parts, className } of objects) {
      annotations.push({
        id: annotations.length + 1,
        image_id: i + 1,
        category_id: 1 + CLASSES.indexOf(className as (typeof CLASSES)[number]),
        bbox: boxOf(parts),
        area: areaOf(parts),
        iscrowd: 0,
        segmentation: random.chance(0.15) ? runLengths(parts) : parts.map(flat),
      });
    }
  }
  return {
    images: images.map(({ file }, i) => ({ id: i + 1, file_name: file, width: WIDTH, height: HEIGHT })),
    annotations,
    categories: CLASSES.map((name, i) => ({ id: i + 1, name })),
  };
}

function areaOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => {
    const twice = part.reduce((total, [x, y], i) => {
      const [nx, ny] = part[(i + 1) % part.length]!;
      return total + x * ny - nx * y;
    }, 0);
    return sum + Math.abs(twice) / 2;
  }, 0);
}

/** COCO's uncompressed run lengths, of the rectangles and triangles above, column by column. */
function runLengths(parts: readonly Part[]): Json {
  const counts: number[] = [0];
  let last = 0;
  const bits = raster(parts, [HEIGHT, WIDTH]);
  for (let x = 0; x < WIDTH; x++) {
    for (let y = 0; y < HEIGHT; y++) {
      const bit = bits[y * WIDTH + x]!;
      if (bit !== last) counts.push(0);
      counts[counts.length - 1]!++;
      last = bit;
    }
  }
  return { size: [HEIGHT, WIDTH], counts };
}

/** As a VIA project, of objects of one part. */
export function viaJson({ images }: OriginalSplit): Json {
  return Object.fromEntries(
    images.map(({ file, objects }) => [
      `${file}1`,
      {
        filename: file,
        size: 1,
        regions: objects.map(({ parts, className }) => ({
          // VIA names pixels: the reader adds the half that leads to their centres.
          shape_attributes: {
            name: 'polygon',
            all_points_x: parts[0]!.map(([x]) => x - 0.5),
            all_points_y: parts[0]!.map(([, y]) => y - 0.5),
          },
          region_attributes: { kind: className },
        })),
        file_attributes: {},
      },
    ]),
  );
}

/** As Pascal VOC: boxes, counted from 1. */
export function vocXml({ file, objects }: OriginalImage): string {
  const list = objects.map(({ parts, className }) => {
    const [x, y, width, height] = boxOf(parts);
    const sides = `<xmin>${x + 1}</xmin><ymin>${y + 1}</ymin><xmax>${x + width}</xmax><ymax>${y + height}</ymax>`;
    return `<object><name>${className}</name><difficult>0</difficult><bndbox>${sides}</bndbox></object>`;
  });
  return `<annotation><filename>${file}</filename><size><width>${WIDTH}</width><height>${HEIGHT}</height><depth>3</depth></size>\n${list.join('\n')}\n</annotation>\n`;
}

export function put(folder: string, file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

export async function putPictures(folder: string, images: readonly OriginalImage[]): Promise<void> {
  for (const { file, objects } of images)
    put(folder, file, await pictureFile(objects, file.endsWith('.bmp') ? 'bmp' : 'png'));
}

/** As a project of VIA 3, of objects of one part. */
export function via3Json({ images }: OriginalSplit): Json {
  const metadata: Json = {};
  for (const [i, { objects }] of images.entries()) {
    for (const [k, { parts, className }] of objects.entries()) {
      const xy = [7, ...parts[0]!.flatMap(([x, y]) => [x - 0.5, y - 0.5])];
      const kind = String(CLASSES.indexOf(className as (typeof CLASSES)[number]));
      metadata[`${i + 1}_${k}`] = { vid: `v${i + 1}`, flg: 0, z: [], xy, av: { 1: kind } };
    }
  }
  return {
    project: { pid: '__VIA_PROJECT_ID__', pname: 'birds' },
    config: {},
    attribute: { 1: { aname: 'kind', type: 4, options: Object.fromEntries(CLASSES.map((name, i) => [i, name])) } },
    file: Object.fromEntries(
      images.map(({ file }, i) => [i + 1, { fid: String(i + 1), fname: file, type: 2, loc: 1, src: '' }]),
    ),
    metadata,
    view: Object.fromEntries(images.map((_, i) => [`v${i + 1}`, { fid_list: [String(i + 1)] }])),
    vid_list: images.map((_, i) => `v${i + 1}`),
  };
}

/** As labelme keeps one picture: the parts of an object share a group. */
export function labelmeJson({ file, objects }: OriginalImage): Json {
  const shapes = objects.flatMap(({ parts, className }, i) =>
    parts.map((part) => ({
      label: className,
      points: part.map(([x, y]) => [x, y]),
      group_id: parts.length > 1 ? i + 1 : null,
      shape_type: 'polygon',
      flags: {},
    })),
  );
  return {
    version: '5.5.0',
    flags: {},
    shapes,
    imagePath: file,
    imageData: null,
    imageHeight: HEIGHT,
    imageWidth: WIDTH,
  };
}

/** As lines of YOLO: outlines, and now and then a box. */
export function yoloLines({ objects }: OriginalImage): readonly string[] {
  return objects.map(({ parts, className, color }) => {
    const [x, y, width, height] = boxOf(parts);
    const numbers =
      color === 3
        ? [(x + width / 2) / WIDTH, (y + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT]
        : parts[0]!.flatMap(([px, py]) => [px / WIDTH, py / HEIGHT]);
    return `${CLASSES.indexOf(className as (typeof CLASSES)[number])} ${numbers.join(' ')}`;
  });
}
