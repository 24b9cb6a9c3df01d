import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { effortUnit } from '@rcnn/shared/effort';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Attempt, attempt } from '../src/commands/attempt.ts';
import { makeScenes } from '../src/commands/scene.ts';

/** Hostile calls of the whole program. By hand: RCNN_HOSTILE=5000 RCNN_PATIENCE=0, and RCNN_SEED for others. */
const CALLS = Number(process.env['RCNN_HOSTILE'] ?? 150);
const SEED = Number(process.env['RCNN_SEED'] ?? 1);
const FROM = Number(process.env['RCNN_FROM'] ?? 0);

/** Work that one may cost, in yardsticks: the files are small. */
const MOST_WORK = 25;

const home = process.cwd();
const root = mkdtempSync(join(tmpdir(), 'rcnn-hostile-'));
beforeAll(() => makeScenes(root));
afterAll(() => {
  process.chdir(home);
  rmSync(root, { recursive: true, force: true });
});

test(`${CALLS} hostile calls end in an answer or a clean error, and touch nothing else`, async () => {
  const wrong: Attempt[] = [];
  const codes = new Map<number, number>();
  const unit = effortUnit();
  let hardest = 0;
  for (let number = FROM; number < FROM + CALLS; number++) {
    const done = await attempt(root, number, SEED);
    codes.set(done.code, (codes.get(done.code) ?? 0) + 1);
    hardest = Math.max(hardest, done.work / unit);
    if (done.faults.length > 0 || done.work / unit > MOST_WORK) wrong.push(done);
  }
  if (process.env['RCNN_HOSTILE'] !== undefined) console.log([...codes], `hardest ${hardest.toFixed(2)} yardsticks`);
  expect(wrong.map(inWords).slice(0, 20).join('\n\n')).toBe('');
  // A harness that only ever sees one end proves nothing; a call that is made again has but one.
  if (CALLS >= 100) expect([...codes.keys()].sort()).toEqual([0, 1, 2]);
});

function inWords({ number, args, spoiled, code, faults, text }: Attempt): string {
  return `${number}: ${JSON.stringify(args.map((arg) => arg.slice(0, 80)))}\n  ${spoiled.join('; ')}\n  exit ${code}: ${faults.join('; ')}\n  ${JSON.stringify(text.slice(-600))}`;
}
