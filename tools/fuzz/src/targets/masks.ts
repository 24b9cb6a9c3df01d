import type { Random } from '@rcnn/core/random';
import {
  Mask,
  mergeRuns,
  polygonsFromRuns,
  runsFromBox,
  runsFromPolygons,
  runsFromString,
  runsToString,
} from '@rcnn/masks';
import { bytesOf, type Target, textOf } from '../target.ts';

const SIZE: [number, number] = [16, 20];

/** Run lengths that fill the mask or nearly, written as COCO writes them. */
function runs(random: Random): Uint8Array {
  const counts: number[] = [];
  let left = 320;
  while (left > 0 && counts.length < 60) {
    const count = random.integer(Math.min(left, 40) + 1);
    counts.push(count);
    left -= count;
  }
  if (random.chance(0.8)) counts.push(left);
  return bytesOf(runsToString({ size: SIZE, counts: Uint32Array.from(counts) }));
}

/** Coordinates in and around the picture, some where numbers end. */
function polygon(random: Random): Uint8Array {
  const far = [-1e9, 1e9, 1e308, Number.MIN_VALUE, 2 ** 31, -0.5, 0, 20, 16];
  const one = (): number[] =>
    Array.from({ length: 2 * random.integer(20) + random.integer(2) }, () =>
      random.chance(0.1) ? random.pick(far) : random.uniform(-5, 25),
    );
  return bytesOf(Array.from({ length: random.integer(4) }, one));
}

export const masks: readonly Target[] = [
  {
    name: 'rle',
    share: 60,
    seeds: [bytesOf(runsToString(runsFromBox([2, 3, 7, 8], SIZE)))],
    words: ['0', 'o', 'P', '`', '~', ' '],
    invent: runs,
    read(bytes) {
      const text = textOf(bytes);
      const read = runsFromString(text, SIZE);
      const area = Mask.fromRuns(read).area();
      if (!(area >= 0 && area <= 320)) throw new Error(`an area of ${area}`);
      const again = runsFromString(runsToString(read), SIZE);
      if (Buffer.compare(Buffer.from(again.counts.buffer), Buffer.from(read.counts.buffer)) !== 0)
        throw new Error('written and read again, the runs are others');
      mergeRuns([read, again]);
      polygonsFromRuns(read);
    },
  },
  {
    name: 'polygons',
    share: 30,
    seeds: [
      bytesOf([[1, 2, 9, 2, 9, 8, 1, 8]]),
      bytesOf([
        [0.5, 0.5, 19.5, 3, 4, 15],
        [3, 3, 5, 3, 5, 5],
      ]),
    ],
    invent: polygon,
    read(bytes) {
      let value: unknown;
      try {
        value = JSON.parse(textOf(bytes));
      } catch {
        return;
      }
      const isPolygons = (one: unknown): one is number[][] =>
        Array.isArray(one) && one.every((part) => Array.isArray(part) && part.every((x) => typeof x === 'number'));
      if (!isPolygons(value)) return;
      const { counts } = runsFromPolygons(value, SIZE);
      const total = counts.reduce((sum, count) => sum + count, 0);
      if (total !== 320) throw new Error(`the runs are of ${total} pixels`);
    },
  },
];
