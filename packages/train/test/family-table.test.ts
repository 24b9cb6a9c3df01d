import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rowsOfPage } from '../bench/family/page.ts';
import { asMarkdown, type Row } from '../bench/family/table.ts';

const PICTURES = '600 pictures to learn from (gentle shapes; for key points stick figures), 60 others to measure on';
const FACTS = { pictures: PICTURES, missing: [], engine: 'onnxruntime' };

const MASKS: Row = {
  arch: 'maskrcnn_small',
  steps: 750,
  parameters: 6_190_000,
  trainingSeconds: 372.4,
  millisecondsPerPicture: 12,
  processorMillisecondsPerPicture: 61.4,
  segm: { ap: 0.6789, ap50: 0.9234, ap90: 0.3601, boundary: 0.374 },
  bbox: { ap: 0.7149, ap50: 0.9421, ap90: 0.5 },
  processor: 'Some Processor, 2.3 GHz, avx512f',
};
const POINTS: Row = {
  arch: 'keypointrcnn_small',
  steps: 1050,
  parameters: 1_700_000,
  processorMillisecondsPerPicture: 27,
  peakMiB: 1085,
  bbox: { ap: 0.647, ap50: 0.94 },
  keypoints: { ap: 0.7, ap50: 0.897 },
};

test('what a table says is read out of it again, so that rows of a page can stay', () => {
  const table = asMarkdown([MASKS, POINTS], FACTS);
  const rows = rowsOfPage(`# A page\n\n| another | table |\n| --- | --- |\n| a | b |\n\n${table}\n`);
  expect(rows.map(({ arch }) => arch)).toEqual(['maskrcnn_small', 'keypointrcnn_small']);
  expect(rows[0]!.segm!.ap50).toBeCloseTo(0.923, 6);
  expect(rows[0]!.trainingSeconds).toBeCloseTo(372, 6);
  expect(rows[1]).toMatchObject({ steps: 1050, peakMiB: 1085, segm: undefined, trainingSeconds: undefined });
  expect(asMarkdown(rows, FACTS)).toBe(table);
  expect(rowsOfPage('# A page without a table')).toEqual([]);
});

const page = readFileSync(new URL('../../../docs/family.md', import.meta.url), 'utf8');

test.each([
  ['gentle', 9],
  ['usual', 9],
  ['balloon', 8],
])(
  'the table of %s has a row of every method that it does not call missing, and they survive a renewal',
  (name, methods) => {
    const table = new RegExp(`<!-- table ${name} -->\n([\\s\\S]*?)\n<!-- /table ${name} -->`).exec(page)![1]!;
    const rows = rowsOfPage(table);
    const missing = /Not measured: (.*?)\./.exec(table)?.[1]?.split(', ') ?? [];
    expect(rows.length + missing.length).toBe(methods);
    const [, pictures] = /\n\n(.*), batches of 4,/.exec(table)!;
    const facts = { ...FACTS, pictures: pictures!, missing, isAlone: name !== 'gentle' };
    expect(asMarkdown(rows, facts)).toBe(table.slice(table.indexOf('| Method')));
  },
);
