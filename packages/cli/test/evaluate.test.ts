import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTensorFile } from '@rcnn/checkpoint/node';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

const directory = mkdtempSync(join(tmpdir(), 'rcnn-evaluate-'));
const fixtures = new URL('../../coco-eval/test/fixtures/', import.meta.url).pathname;
const files = ['--gt', `${fixtures}annotations.json`, '--dt', `${fixtures}detections.json`];
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => void vi.restoreAllMocks());

interface Expected {
  stats: number[];
  summary: string;
  precision_sha256: string;
  recall_sha256: string;
  scores_sha256: string;
}
const expected = JSON.parse(readFileSync(`${fixtures}expected.json`, 'utf8')) as Record<'bbox' | 'segm', Expected>;

/** Runs the program in this process; gives its exit code and what it wrote. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(args);
  vi.restoreAllMocks();
  return { code, ...written };
}

test.each(['bbox', 'segm'] as const)('evaluate --iou %s: text, numbers and digests of pycocotools', async (iou) => {
  const json = join(directory, `${iou}.json`);
  const { code, out } = await run('evaluate', ...files, '--iou', iou, '--json', json);
  expect(code).toBe(0);
  expect(out).toBe(expected[iou].summary);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual({
    [iou]: {
      stats: expected[iou].stats,
      sha256: {
        precision: expected[iou].precision_sha256,
        recall: expected[iou].recall_sha256,
        scores: expected[iou].scores_sha256,
      },
    },
  });
});

test('without --iou everything the results carry is evaluated, with workers to the same numbers', async () => {
  const text = `bbox\n${expected.bbox.summary}segm\n${expected.segm.summary}`;
  expect((await run('evaluate', ...files)).out).toBe(text);
  expect((await run('evaluate', ...files, '--workers', '2')).out).toBe(text);
  expect((await run('evaluate', ...files, '--workers', 'all')).code).toBe(2);
});

test('--max-detections: AP is at the most', async () => {
  const { out } = await run('evaluate', ...files, '--iou', 'bbox', '--max-detections', '300,1,10');
  const first = (text: string): string => text.split('\n')[0]!.split('=').at(-1)!;
  expect(first(out)).toBe(first(expected.bbox.summary));
  expect(out.match(/maxDets=300/g)).toHaveLength(10);
  for (const list of ['0', '1,,2', '-1', '1.5', 'all', '']) {
    expect((await run('evaluate', ...files, '--max-detections', list)).code).toBe(2);
  }
});

test('--report: rates of each category, and in the JSON', async () => {
  const json = join(directory, 'report.json');
  const { code, out } = await run('evaluate', ...files, '--iou', 'segm', '--report', '0.3', '--json', json);
  expect(code).toBe(0);
  expect(out).toMatch(/Detections with a score from 0\.300[\s\S]*\nmacro average/);
  const { segm } = JSON.parse(readFileSync(json, 'utf8')) as { segm: { report: { scoreThreshold: number } } };
  expect(segm.report.scoreThreshold).toBe(0.3);
  expect((await run('evaluate', ...files, '--report')).out.match(/a score from 0\.500/g)).toHaveLength(2);
  expect((await run('evaluate', ...files, '--report', '2')).code).toBe(2);
  expect((await run('evaluate', ...files, '--oks-sigmas', '0.1,0')).code).toBe(2);
});

test('arrays, table and plots are written', async () => {
  const arrays = join(directory, 'arrays.safetensors');
  const plots = join(directory, 'plots');
  const { code, out } = await run(
    'evaluate',
    ...files,
    '--iou',
    'segm',
    '--arrays',
    arrays,
    '--per-class',
    '--plots',
    plots,
  );
  expect(code).toBe(0);
  expect(out).toMatch(/^category +AP/m);
  expect(readdirSync(plots).sort()).toEqual(['segm-confusion.svg', 'segm-errors.svg', 'segm-precision-recall.svg']);
  const source = await openTensorFile(arrays);
  const shapes = [...source.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape]);
  await source.close();
  expect(shapes).toEqual([
    ['precision', 'float64', [10, 101, 7, 4, 3]],
    ['recall', 'float64', [10, 7, 4, 3]],
    ['scores', 'float64', [10, 101, 7, 4, 3]],
  ]);
});

test('a bad detection is named by its index, a missing file by its name', async () => {
  const bad = join(directory, 'bad.json');
  writeFileSync(bad, '[{"image_id": 1007, "category_id": 3, "bbox": [1, 2, 3, 4], "score": NaN}]');
  const { code, err } = await run('evaluate', '--gt', files[1]!, '--dt', bad);
  expect(code).toBe(1);
  expect(err).toContain(`error DETECTION_INVALID: ${bad} (/0/score)`);
  expect((await run('evaluate', '--gt', join(directory, 'none.json'), '--dt', bad)).err).toContain('FILE_MISSING');
  expect((await run('evaluate', '--gt', bad)).code).toBe(2);
});

test('results of another picture than the annotations have under their id are refused', async () => {
  const [truth, found] = [join(directory, 'numbered.json'), join(directory, 'numbered-found.json')];
  const images = ['0001.png', 'sub/0002.png'].map((file_name, id) => ({ id, file_name, width: 20, height: 12 }));
  const box = { category_id: 1, bbox: [2, 3, 6, 6] };
  const annotations = images.map(({ id }) => ({ id: id + 1, image_id: id, ...box, area: 36, iscrowd: 0 }));
  writeFileSync(truth, JSON.stringify({ images, annotations, categories: [{ id: 1, name: 'red' }] }));
  const evaluate = (results: readonly object[]) => {
    writeFileSync(found, `[\n${results.map((result) => JSON.stringify(result)).join(',\n')}\n]\n`);
    return run('evaluate', '--gt', truth, '--dt', found);
  };
  const wrong = await evaluate([{ image_id: 1, ...box, score: 0.9, file_name: 'photos/0001.png' }]);
  expect([wrong.code, wrong.out]).toEqual([1, '']);
  expect(wrong.err).toContain(
    "(result 0): it is of another picture than the annotations have under its image_id; found 'photos/0001.png', image_id 1, expected 'sub/0002.png'",
  );
  const right = await evaluate([{ image_id: 1, ...box, score: 0.9, file_name: 'photos/0002.JPG' }]);
  expect([right.code, right.err]).toEqual([0, '']);
  // A name as some tool wrote it, which none of the annotations' pictures has.
  const renamed = await evaluate([{ image_id: 1, ...box, score: 0.9, file_name: 'upload/0a1b2c3d-0002.png' }]);
  expect([renamed.code, renamed.err]).toEqual([0, '']);
});
