import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCanvas } from '@napi-rs/canvas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainBalloon } from '../src/main.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'train-balloon-'));
  for (const split of ['train', 'val']) writeVia(join(folder, 'data', split), split === 'train' ? 4 : 2);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Red discs before a blue sky, with their outlines as VIA 1 writes them. */
function writeVia(path: string, count: number): void {
  mkdirSync(path, { recursive: true });
  const project: Record<string, unknown> = {};
  for (let i = 0; i < count; i++) {
    const canvas = createCanvas(80, 60);
    const context = canvas.getContext('2d');
    context.fillStyle = '#86b5e8';
    context.fillRect(0, 0, 80, 60);
    context.fillStyle = '#d0202c';
    const [x, y, radius] = [20 + 10 * i, 30, 14];
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    writeFileSync(join(path, `${i}.jpg`), canvas.toBuffer('image/jpeg'));
    const corners = Array.from({ length: 16 }, (_, k) => (2 * Math.PI * k) / 16);
    project[`${i}.jpg1`] = {
      fileref: '',
      size: 1,
      filename: `${i}.jpg`,
      base64_img_data: '',
      file_attributes: {},
      regions: {
        0: {
          shape_attributes: {
            name: 'polygon',
            all_points_x: corners.map((angle) => Math.round(x + radius * Math.cos(angle))),
            all_points_y: corners.map((angle) => Math.round(y + radius * Math.sin(angle))),
          },
          region_attributes: {},
        },
      },
    };
  }
  writeFileSync(join(path, 'via_region_data.json'), JSON.stringify(project));
}

test('from a VIA folder to a model and pictures', async () => {
  const files = await trainBalloon(join(folder, 'data'), {
    arch: 'maskrcnn_small',
    minSize: 64,
    maxSize: 96,
    steps: 3,
    engine: 'onnxruntime',
    out: join(folder, 'runs'),
  });
  expect(files).toHaveLength(2);
  for (const file of files) expect(existsSync(file)).toBe(true);
});
