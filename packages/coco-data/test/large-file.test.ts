// What a large annotation file costs in memory. By default a file of some 20 MB, and bytes per annotation; for one of
// 1.15 GiB, which must open in 2 GiB: RCNN_LARGE_FILE=3000000 vitest run … test/large-file.test.ts
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import { temporaryFolder } from './folders.ts';

const ANNOTATIONS = Number(process.env['RCNN_LARGE_FILE'] ?? 40_000);
const PER_IMAGE = 8; // as in COCO
const folder = temporaryFolder();

test(`${ANNOTATIONS} annotations`, async () => {
  const file = join(folder, 'large', 'annotations', 'instances_train.json');
  mkdirSync(join(folder, 'large', 'annotations'), { recursive: true });
  const bytes = await writeLargeFile(file);
  // A process of its own, from the built package: nothing else is counted.
  const entry = new URL('../dist/node/index.js', import.meta.url).href;
  const script = `
    const { openDataset } = await import(${JSON.stringify(entry)});
    const held = async () => {
      // One collection leaves what optimized code and finalisers still hold: a fifth of what is measured here.
      for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve)); }
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = await held();
    const dataset = await openDataset(${JSON.stringify(join(folder, 'large'))});
    const peak = process.resourceUsage().maxRSS / 1024;
    console.log(JSON.stringify({ held: (await held()) - before, peak, images: dataset.length }));`;
  const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script]).toString();
  const { held, peak, images } = JSON.parse(output) as { held: number; peak: number; images: number };
  console.log(
    `${(bytes / 2 ** 20).toFixed(0)} MiB: holds ${(held / ANNOTATIONS).toFixed(0)} bytes each, peak ${peak} MiB`,
  );
  expect(images).toBe(Math.ceil(ANNOTATIONS / PER_IMAGE));
  expect(held / ANNOTATIONS).toBeLessThan(650); // an array per outline and per box made it 1100
  if (bytes > 2 ** 30) expect(peak).toBeLessThan(2048);
});

/** A file like COCO's: 22 points per outline on average, two decimals. @returns its bytes */
async function writeLargeFile(file: string): Promise<number> {
  const random = new Random(1);
  const out = createWriteStream(file);
  const write = async (text: string): Promise<void> => {
    if (!out.write(text)) await once(out, 'drain');
  };
  await write('{"categories": [{"id": 1, "name": "thing"}], "images": [');
  for (let id = 1; id <= Math.ceil(ANNOTATIONS / PER_IMAGE); id++) {
    const name = String(id).padStart(12, '0');
    await write(`${id > 1 ? ',' : ''}{"id": ${id}, "file_name": "${name}.jpg", "height": 480, "width": 640}`);
  }
  await write('], "annotations": [');
  for (let i = 0; i < ANNOTATIONS; i++) await write(`${i > 0 ? ',' : ''}${JSON.stringify(annotation(i, random))}`);
  await write(']}');
  out.end();
  await once(out, 'finish');
  return out.bytesWritten;
}

function annotation(i: number, random: Random): unknown {
  const [cx, cy, radius] = [random.uniform(100, 540), random.uniform(100, 380), random.uniform(5, 90)];
  const points = 4 + Math.floor(-18 * Math.log(1 - random.uniform()));
  const two = (value: number): number => Math.round(value * 100) / 100;
  const outline = Array.from({ length: points }, (_, k) => {
    const angle = (2 * Math.PI * k) / points;
    return [two(cx + radius * Math.cos(angle)), two(cy + radius * Math.sin(angle))];
  }).flat();
  return {
    id: i + 1,
    image_id: 1 + Math.floor(i / PER_IMAGE),
    category_id: 1,
    iscrowd: 0,
    area: two(3 * radius ** 2),
    bbox: [two(cx - radius), two(cy - radius), two(2 * radius), two(2 * radius)],
    segmentation: [outline],
  };
}
