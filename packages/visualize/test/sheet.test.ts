import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadImage } from '@napi-rs/canvas';
import type { PixelImage, Target } from '@rcnn/core';
import { describe, expect, test } from 'vitest';
import { contextOf, drawImage, drawnDetections, drawnTarget, drawSheet, drawSixPanels } from '../src/index.ts';
import { createCanvas, encodePng } from '../src/node.ts';
import { disc, landscape } from './scenery.ts';

const size = [64, 80] as const;

describe('drawImage', () => {
  const ramp: PixelImage = {
    data: Uint8Array.from({ length: 12 }, (_, i) => [0, 100, 200, 40][Math.floor(i / 3)]!),
    height: 2,
    width: 2,
    channels: 3,
  };
  const reds = (image: PixelImage, scale: number): number[] => {
    const canvas = createCanvas(Math.max(1, 2 * scale), Math.max(1, 2 * scale));
    drawImage(contextOf(canvas), image, scale);
    const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
    return [...data].filter((_, i) => i % 4 === 0);
  };

  test('as it is', () => expect(reds(ramp, 1)).toEqual([0, 100, 200, 40]));
  test('twice as large, bilinear: the first row of 0, 100 is 0, 25, 75, 100', () => {
    expect(reds(ramp, 2).slice(0, 4)).toEqual([0, 25, 75, 100]);
  });
  test('half as large: the mean', () => expect(reds(ramp, 0.5)).toEqual([85]));
  test('floats in [0, 1] are the same picture', () => {
    const floats = { ...ramp, data: Float32Array.from(ramp.data, (value) => value / 255) };
    expect(reds(floats, 1)).toEqual(reds(ramp, 1));
  });
  test('an image whose size does not fit its pixels is refused', () => {
    expect(() => reds({ ...ramp, width: 3 }, 1)).toThrowError(/12 values for 2x3.*18 values/);
  });
});

test('six panels: three to a row, each showing what its title says', () => {
  const image = landscape(...size);
  const objects = [disc(size, 30, 40, 15, { label: 1, score: 0.9 })];
  const sheet = drawSixPanels(createCanvas, image, objects, { panelSide: 80, names: new Map([[1, 'balloon']]) });
  const cell = { width: 80, height: 64, caption: 30, gap: 12 };
  expect([sheet.width, sheet.height]).toEqual([12 + 3 * 92, 12 + 2 * (64 + 30 + 12)]);
  const panel = (row: number, column: number): Uint8ClampedArray =>
    contextOf(sheet).getImageData(
      12 + column * (cell.width + cell.gap),
      12 + row * (cell.height + cell.caption + cell.gap) + cell.caption,
      cell.width,
      cell.height,
    ).data;
  const centre = (row: number, column: number): number[] =>
    Array.from(panel(row, column).slice((30 * 80 + 40) * 4, (30 * 80 + 40) * 4 + 3));
  const original = Array.from(image.data.slice((30 * 80 + 40) * 3, (30 * 80 + 40) * 3 + 3));
  expect(centre(0, 0)).toEqual(original); // the image itself
  expect(centre(0, 1)).toEqual(original); // boxes and labels leave the middle alone
  expect(Array.from(panel(0, 2).slice(0, 3))).toEqual([24, 24, 24]); // masks alone stand on a dark ground
  for (const [row, column] of [
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
  ] as const)
    expect(centre(row, column)).not.toEqual(original);
});

test('drawing is repeatable to the byte, and the PNG reads back', async () => {
  const draw = (): Uint8Array =>
    encodePng(
      drawSixPanels(createCanvas, landscape(...size), [disc(size, 30, 40, 15, { label: 1 })], { panelSide: 80 }),
    );
  const png = draw();
  expect(Buffer.compare(png, draw())).toBe(0);
  const back = await loadImage(Buffer.from(png));
  expect([back.width, back.height]).toEqual([288, 224]);
});

test('no objects is a normal picture', () => {
  expect(() => drawSixPanels(createCanvas, landscape(...size), [], { panelSide: 40 })).not.toThrow();
});

test('a sheet without panels is refused', () => {
  expect(() => drawSheet(createCanvas, [])).toThrowError(/at least one panel/);
});

test('detections are drawn best first, without the weak ones', () => {
  const box = [0, 0, 1, 1] as const;
  const detections = [0.2, 0.9, 0.6].map((score) => ({ box, label: 1, score }));
  expect(drawnDetections(detections, 0.5).map(({ score }) => score)).toEqual([0.9, 0.6]);
});

test('a target is drawn with its masks, keypoints and crowd flags', () => {
  const target: Target = {
    boxes: Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3),
    labels: Int32Array.of(4, 5),
    keypoints: Float32Array.of(1, 2, 2, 3, 4, 0, 5, 6, 1, 7, 8, 2),
    crowd: Uint8Array.of(0, 1),
  };
  expect(drawnTarget(target)).toEqual([
    {
      box: [0, 0, 1, 1],
      label: 4,
      keypoints: [
        [1, 2, 2],
        [3, 4, 0],
      ],
    },
    {
      box: [2, 2, 3, 3],
      label: 5,
      keypoints: [
        [5, 6, 1],
        [7, 8, 2],
      ],
      crowd: true,
    },
  ]);
  expect(drawnTarget({ boxes: new Float32Array(), labels: new Int32Array() })).toEqual([]);
});

test('nothing that a browser loads imports Node', () => {
  const src = join(dirname(fileURLToPath(import.meta.url)), '../src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'node.ts',
  );
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) expect(readFileSync(join(src, file), 'utf8')).not.toMatch(/from '(node:|@napi-rs)/);
});
