import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'mask-rcnn';
import { afterAll, describe, expect, test } from 'vitest';
import { show } from '../src/show.ts';
import { storeProgram } from '../src/store.ts';

const program = storeProgram();
const folder = mkdtempSync(join(tmpdir(), 'rcnn-queue-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Kept {
  readonly photo: string;
  readonly objects: readonly { readonly label: string; readonly score: number; readonly box: readonly number[] }[];
}

const needs = { meta: { whySkipped: 'needs valkey-server or redis-server' } };
describe.skipIf(program === undefined)('the queue', needs, () => {
  test('a worker dies in the middle, and each photograph is answered once, as one process would', async () => {
    const { photos, answers, failed } = await show(program!, 9, folder, () => undefined);
    expect(new Set(photos).size).toBe(9);
    expect(answers).toEqual(photos.map((digest) => `${digest}.json`).toSorted());
    expect([...failed.values()]).toEqual([expect.stringMatching(/broken\.png/)]);
    const detector = await load(join(folder, 'model.safetensors'), { scoreThreshold: 0.05, engine: 'onnxruntime' });
    for (const name of answers) {
      const { photo, objects } = JSON.parse(readFileSync(join(folder, 'results', name), 'utf8')) as Kept;
      const alone = await detector(photo);
      expect(objects.map(({ label, score, box }) => [label, score, ...box])).toEqual(
        alone.map(({ label, score, box }) => [label, score, ...box]),
      );
    }
    detector.dispose();
  });
});
