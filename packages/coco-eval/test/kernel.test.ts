import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '@rcnn/core/random';
import { effort } from '@rcnn/shared/effort';
import { compileKernel, kernelModule } from '@rcnn/shared/kernel';
import { describe, expect, test } from 'vitest';
import { type Detections, type GroundTruth, parseDetections, parseGroundTruth } from '../src/index.ts';
import { Kernel } from '../src/kernel.ts';
import { axesOf, listCells, matchImages } from '../src/match/cells.ts';
import { identity, sortByFallingScore, sortInJs } from '../src/match/sort.ts';
import { type EvalParams, type IoUType, resolveParams } from '../src/params.ts';
import { Row } from '../src/read/builders.ts';
import { NativeIds } from '../src/read/native-ids.ts';
import { NativeRows } from '../src/read/native-rows.ts';
import { accumulate } from '../src/score/accumulate.ts';
import type { EvalArrays } from '../src/score/arrays.ts';
import { randomDataset } from './reference-cases.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test('the committed bytes are what the sources compile to', async () => {
  const committed = readFileSync(new URL('../src/kernel-bytes.ts', import.meta.url), 'utf8');
  expect(committed).toBe(kernelModule(await compileKernel(folder)));
});

/** Names the first difference of two evaluations, one by WebAssembly and one by JavaScript. */
function difference(truth: GroundTruth, detections: Detections, iouType: IoUType, options: EvalParams = {}) {
  const params = resolveParams(iouType, options);
  const axes = axesOf(truth, params);
  const images = axes.imageIds.length;
  const [native, ours] = [true, false].map((on) => {
    const outcomes = matchImages(truth, detections, params, axes, 0, images, on);
    const { arrays, stats } = accumulate(outcomes, images, params, on);
    return { outcomes, arrays: arrays.held, stats };
  }) as [Sides, Sides];
  const { count, areas } = ours.outcomes;
  const columns = ['scores', 'image', 'category', 'rank', 'matched', 'ignored', 'positives', 'seen'] as const;
  for (const column of columns) {
    const length = column === 'matched' || column === 'ignored' ? count * areas : count;
    const end = column === 'positives' || column === 'seen' ? ours.outcomes[column].length : length;
    for (let i = 0; i < end; i++) {
      if (native.outcomes[column][i] !== ours.outcomes[column][i]) return `${column}[${i}]`;
    }
  }
  for (const name of ['precision', 'recall', 'scores'] as const) {
    for (let i = 0; i < ours.arrays[name].length; i++) {
      if (!Object.is(native.arrays[name][i], ours.arrays[name][i])) return `${name}[${i}]`;
    }
  }
  for (const [i, value] of ours.stats.entries()) if (!Object.is(native.stats[i], value)) return `stats[${i}]`;
  return native.outcomes.count === count ? undefined : 'count';
}

interface Sides {
  readonly outcomes: ReturnType<typeof matchImages>;
  readonly arrays: EvalArrays;
  readonly stats: readonly number[];
}

describe('WebAssembly and JavaScript give the same bits', () => {
  test.each<[string, EvalParams]>([
    ['as COCO has it', {}],
    ['one detection of a cell', { maxDetections: [1] }],
    ['three', { maxDetections: [1, 3] }],
    ['31 thresholds, 0 and 1 among them', { iouThresholds: Array.from({ length: 31 }, (_, i) => i / 30) }],
    ['few recalls', { recallThresholds: [0, 0.3, 1] }],
  ])('random datasets, %s', (_, options) => {
    let compared = 0;
    for (let seed = 0; seed < 80; seed++) {
      const { kind, truth, results, useCategories } = randomDataset(seed);
      if (kind === 'keypoints' || results.length === 0) continue;
      const columns = parseGroundTruth(encode(truth));
      const detections = parseDetections(encode(results), columns);
      expect(difference(columns, detections, kind, { ...options, useCategories }), `seed ${seed}`).toBeUndefined();
      compared++;
    }
    expect(compared).toBeGreaterThan(40);
  });

  test('outlines that leave the image, touch themselves or have no area', () => {
    const random = new Random(11);
    const size = { height: 37, width: 53 };
    const images = Array.from({ length: 40 }, (_, id) => ({ id, ...size }));
    const coordinate = (): number =>
      random.pick([random.uniform(-20, 80), random.integer(60), random.integer(12) * 4.5]);
    const outline = (): number[] => Array.from({ length: 2 * (3 + random.integer(9)) }, coordinate);
    const annotations = images.flatMap(({ id: image_id }, i) =>
      [0, 1, 2].map((k) => ({
        id: 3 * i + k + 1,
        image_id,
        category_id: 1,
        area: 100,
        bbox: [0, 0, 9, 9],
        segmentation: random.chance(0.3) ? [outline(), outline()] : [outline()],
      })),
    );
    const results = annotations.flatMap(({ image_id, segmentation }) =>
      [segmentation, [outline()]].map((mask) => ({
        image_id,
        category_id: 1,
        score: random.uniform(),
        segmentation: mask,
      })),
    );
    const truth = parseGroundTruth(encode({ images, categories: [{ id: 1 }], annotations }));
    expect(difference(truth, parseDetections(encode(results), truth), 'segm')).toBeUndefined();
  });

  test('sorting, with equal scores, zeros of both signs and extremes', () => {
    const random = new Random(5);
    const scores = Float64Array.from({ length: 5000 }, () =>
      random.pick([random.uniform(), random.integer(9) / 9, -random.uniform(), 0, -0, 1e300, 5e-324, -1e9]),
    );
    const order = identity(5000).reverse();
    const [native, ours] = [sortByFallingScore(order, scores), sortInJs(order, scores)];
    expect(native.findIndex((row, i) => row !== ours[i])).toBe(-1);
  });
});

test('cells of some of the images are listed as JavaScript lists them, with and without categories', () => {
  for (let seed = 0; seed < 60; seed++) {
    const { kind, truth, results } = randomDataset(seed);
    if (kind === 'keypoints' || results.length === 0) continue;
    const columns = parseGroundTruth(encode(truth));
    const detections = parseDetections(encode(results), columns);
    for (const useCategories of [true, false]) {
      const params = resolveParams(kind, { useCategories });
      const axes = axesOf(columns, params);
      const images = axes.imageIds.length;
      const walk = {
        truth: columns,
        detections,
        params,
        axes,
        from: Math.floor(images / 3),
        to: Math.max(1, images - 1),
      };
      expect(listCells(walk), `seed ${seed}`).toEqual(listCells(walk, false));
    }
  }
});

test('places of ids are those of a map, also of zeros of both signs and of what is not there', () => {
  const random = new Random(3);
  const draw = (): number =>
    random.pick([random.integer(4000), -random.integer(50), random.integer(2 ** 31) * 2 ** 20, random.uniform(), 0]);
  const ids = Float64Array.from(new Set(Array.from({ length: 3000 }, draw)));
  const asked = Float64Array.from({ length: 9000 }, () =>
    random.pick([draw(), ids[random.integer(ids.length)]!, -0, NaN]),
  );
  const places = new Map(Array.from(ids, (id, place) => [id, place]));
  const found = NativeIds.of(ids)!.find(asked);
  expect([...found.places]).toEqual(Array.from(asked, (id) => places.get(id) ?? -1));
  expect(found.missing).toBe(found.places.filter((place) => place < 0).length);
  expect(found.missing).toBeGreaterThan(100);
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('ids counted from 1 lie apart in the table: finding one is no search', async () => {
  const native = NativeIds.of(Float64Array.from({ length: 1000 }, (_, i) => i + 1))!;
  const asked = Float64Array.from({ length: 2_000_000 }, (_, i) => ((i * 7919) % 1000) + 1);
  const { spent, result } = await effort(() => native.find(asked));
  expect(result.missing).toBe(0);
  expect(spent).toBeLessThan(2); // a fifth of one; where all begin at one place of the table, twenty-five
});

describe('rows', () => {
  const row = (i: number): string =>
    `{"image_id": 1, "category_id": 1, "bbox": [${i}, 1, 2.5, 3e-1], "score": 0.${i + 1}}`;

  test('usual rows are read by WebAssembly, wherever the window ends', () => {
    const text = `[${Array.from({ length: 40_000 }, (_, i) => row(i)).join(', ')}]`;
    const bytes = new TextEncoder().encode(text);
    const rows = NativeRows.of(bytes)!;
    const out = new Row();
    let read = 0;
    for (let position = 1; bytes[position] !== 0x5d; position = rows.end + (bytes[rows.end] === 0x2c ? 1 : 0)) {
      const count = rows.read(position);
      expect(count).toBeGreaterThan(0);
      rows.fill(count - 1, out);
      read += count;
      expect(out.box[0]).toBe(read - 1);
      expect(out.box[3]).toBe(0.3);
      expect(out.score).toBe(Number(`0.${read}`));
    }
    expect(read).toBe(40_000);
  });

  test.each([
    ['text as id', row(0).replace('"image_id": 1', '"image_id": "1"')],
    ['an id beyond 2^53', row(0).replace('"image_id": 1', '"image_id": 9007199254740993')],
    ['keypoints', row(0).replace('"score"', '"keypoints": [1, 2, 2], "score"')],
    ['a NaN', row(0).replace('0.1}', 'NaN}')],
    ['a number of 25 digits', row(0).replace('0.1}', '0.1234567890123456789012345}')],
    ['a leading zero', row(0).replace('0.1}', '01}')],
    ['a point without digits', row(0).replace('0.1}', '1.}')],
    ['a missing comma', row(0).replace('1, "cat', '1 "cat')],
    ['a box of five', row(0).replace('2.5,', '2.5, 2.5,')],
    ['an unknown word', row(0).replace('"score"', '"x": nil, "score"')],
    ['deep nesting', row(0).replace('"score"', `"x": ${'['.repeat(40)}${']'.repeat(40)}, "score"`)],
    ['nothing', ''],
    ['half a row', row(0).slice(0, 40)],
  ])('is left to JavaScript: %s', (_, text) => {
    expect(NativeRows.of(new TextEncoder().encode(`${text}]`))!.read(0)).toBe(0);
  });

  test('lists of numbers are passed over where JSON.parse reads them, and only there', () => {
    const random = new Random(13);
    const between = (): string => random.pick([',', ',', ',', ', ', ' ,', ' , ', ',  ', ',,', ', ,', ',[1],', ';', '']);
    const number = (): string =>
      random.pick(['1', '12.5', '-3', '-0.25', '123456.789', '7e2', '1E-3', '-', '--1', '.5', '']);
    const counts = { read: 0, refused: 0 };
    for (let i = 0; i < 20_000; i++) {
      const usual = i % 4 !== 0; // most lists have one odd place at most
      const length = random.integer(14);
      const odd = usual ? random.integer(2 * length + 2) : -1;
      const parts = Array.from({ length }, (_, k) => {
        const value = !usual || k === odd ? number() : String(random.integer(500) / 10 - 9);
        return `${value}${k === length - 1 && random.chance(0.9) ? '' : !usual || k === odd - length ? between() : ','}`;
      });
      const text = `{"id": 1, "segmentation": [[${parts.join('')}]]}`;
      // Numbers are passed over by their characters: what is wrong inside of one is found when its mask is read.
      const isJson = parses(text.replace(/(?<![-\d.eE+])-?\d[\d.eE+-]*/g, '1'));
      expect(NativeRows.of(new TextEncoder().encode(text))!.read(0), `read ${text}`).toBe(Number(isJson));
      counts[isJson ? 'read' : 'refused']++;
    }
    expect(Math.min(counts.read, counts.refused)).toBeGreaterThan(1000);
  });

  test('numbers are rounded as JSON.parse rounds them', () => {
    const random = new Random(7);
    const view = new DataView(new ArrayBuffer(8));
    const written = Array.from({ length: 20_000 }, (_, i) => {
      if (i % 3 === 0) return String(Math.fround(random.uniform(-700, 700)));
      if (i % 3 === 1) return `${random.integer(1e9)}${random.integer(1e9)}e-${random.integer(20)}`;
      view.setUint32(0, (random.integer(2 ** 12) << 20) | random.integer(2 ** 20));
      view.setUint32(4, random.integer(2 ** 32));
      const value = view.getFloat64(0);
      return Number.isFinite(value) ? String(value) : '0';
    });
    const bytes = new TextEncoder().encode(written.map((score) => `{"score":${score}}`).join(','));
    const rows = NativeRows.of(bytes)!;
    const out = new Row();
    let i = 0;
    let left = 0;
    for (let position = 0; position < bytes.length; ) {
      const count = rows.read(position);
      for (let k = 0; k < count; k++, i++) {
        rows.fill(k, out);
        if (!Object.is(out.score, JSON.parse(written[i]!))) throw new Error(`${written[i]} became ${out.score}`);
      }
      position = count > 0 ? rows.end + 1 : position + `{"score":${written[i++]}},`.length;
      left += Number(count === 0);
    }
    expect(i).toBe(written.length);
    expect(left).toBeLessThan(0.4 * written.length); // exponents beyond 22, which JavaScript reads
  });

  test('cut anywhere, a row never becomes another', () => {
    const text = row(3);
    for (let end = 0; end < text.length; end++) {
      expect(NativeRows.of(new TextEncoder().encode(text.slice(0, end)))!.read(0)).toBe(0);
    }
  });
});

test('each kernel has memory of its own', () => {
  const [a, b] = [Kernel.make()!, Kernel.make()!];
  const at = a.copy(Float64Array.of(1, 2, 3));
  a.room(2 ** 20);
  expect([...a.doubles(at, 3)]).toEqual([1, 2, 3]);
  expect(b.copy(Float64Array.of(4))).toBe(at);
  expect(a.doubles(at, 1)[0]).toBe(1);
});
