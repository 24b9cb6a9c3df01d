// npm run bench -- masks [--python PATH]
//
// Encoding, decoding, merging, IoU, polygons and pasting of 200 masks in images of 480 x 640, beside pycocotools' C on
// the same masks when a Python with it is given. Times are for all of them, best of twenty.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Random } from '@rcnn/core/random';
import { benchOptions } from '@rcnn/shared/bench';
import {
  decodeColumns,
  decodeRows,
  encodeColumns,
  encodeRows,
  maskIoU,
  mergeCompressed,
  mergeRuns,
  pasteMask,
  runsFromPolygons,
  runsFromString,
  runsToString,
} from '../src/index.ts';

const options = benchOptions({ python: { type: 'string' } });
const SIZE = [480, 640] as const;
const COUNT = 200;
const random = new Random(11);

const polygons = Array.from({ length: COUNT }, () => {
  const [cx, cy, radius] = [random.uniform(60, 580), random.uniform(60, 420), random.uniform(10, 200)];
  return Array.from({ length: 40 }, (_, i) => {
    const r = radius * random.uniform(0.8, 1);
    const angle = (2 * Math.PI * i) / 40;
    return [cx + r * Math.cos(angle), cy + r * Math.sin(angle)];
  }).flat();
});
const masks = polygons.map((polygon) => runsFromPolygons([polygon], SIZE));
const strings = masks.map(runsToString);
const compressed = strings.map((counts) => ({ size: SIZE, counts }));
const rows = masks.map(decodeRows);
const columns = masks.map(decodeColumns);
const half = COUNT / 2;
const soft = Array.from({ length: 100 }, () => {
  const mask = new Float32Array(28 * 28);
  for (let y = 0; y < 28; y++) {
    for (let x = 0; x < 28; x++)
      mask[y * 28 + x] = 1 / (1 + Math.exp(Math.hypot(x - 13.5, y - 13.5) - 11 + random.normal()));
  }
  const [x, y] = [random.uniform(0, 500), random.uniform(0, 400)];
  return { mask, box: [x, y, Math.min(640, x + random.uniform(20, 300)), Math.min(480, y + random.uniform(20, 250))] };
});

// Strings in and strings out, as pycocotools has them; `merge` also on run lengths, which is what a program here holds.
const work: Record<string, () => unknown> = {
  'encode columns': () => columns.map((bitmap) => runsToString(encodeColumns(bitmap, SIZE))),
  'encode rows': () => rows.map((bitmap) => runsToString(encodeRows(bitmap, SIZE))),
  decode: () => strings.map((text) => decodeColumns(runsFromString(text, SIZE))),
  merge: () => {
    for (let i = 0; i < half; i++) mergeRuns([masks[i]!, masks[i + half]!]);
  },
  'merge of strings': () => {
    for (let i = 0; i < half; i++) mergeCompressed([compressed[i]!, compressed[i + half]!]);
  },
  iou: () => {
    const runs = strings.map((text) => runsFromString(text, SIZE));
    maskIoU(runs.slice(0, half), runs.slice(half));
  },
  polygons: () => polygons.map((polygon) => runsToString(runsFromPolygons([polygon], SIZE))),
  'paste 100 to RLE': () => soft.map(({ mask, box }) => pasteMask(mask, box, SIZE).rle()),
};

function best(body: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 23; i++) {
    const start = performance.now();
    body();
    if (i > 2) least = Math.min(least, performance.now() - start); // the first ones warm the code up
  }
  return least;
}

const peer = options.python === undefined ? {} : timePeer(options.python);
for (const [name, body] of Object.entries(work)) {
  const ours = best(body);
  const theirs = peer[name === 'merge of strings' ? 'merge' : name];
  const beside =
    theirs === undefined ? '' : `pycocotools ${(1000 * theirs).toFixed(2)} ms  ${((1000 * theirs) / ours).toFixed(1)}x`;
  console.log(`${name.padEnd(18)} ${ours.toFixed(2).padStart(9)} ms  ${beside}`);
}

function timePeer(python: string): Record<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'rcnn-masks-'));
  try {
    const file = join(folder, 'masks.json');
    writeFileSync(file, JSON.stringify({ size: SIZE, strings, polygons: polygons.map((polygon) => [polygon]) }));
    const script = fileURLToPath(new URL('../../../tools/reference/time_masks.py', import.meta.url));
    return JSON.parse(execFileSync(python, [script, file], { encoding: 'utf8' })) as Record<string, number>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
