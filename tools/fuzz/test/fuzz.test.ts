import { effortUnit } from '@rcnn/shared/effort';
import { expect, test } from 'vitest';
import { campaign, type Failure } from '../src/campaign.ts';
import { runOnce } from '../src/judge.ts';
import { targets } from '../src/targets/index.ts';

/** Over all parsers. By hand: `npm run fuzz -- --runs 1000000`. */
const RUNS = Number(process.env['RCNN_FUZZ'] ?? 100_000);

/** Work that one file may cost, in yardsticks: all of them are small. */
const MOST_WORK = 25;

const shares = targets.reduce((sum, { share }) => sum + share, 0);
const unit = effortUnit();

test.each(targets)('$name: its good files are read', async (target) => {
  for (const seed of target.seeds) expect(await runOnce(target, seed)).toEqual({ end: 'read' });
});

test.each(targets)('$name: damaged and invented files are read or refused', async (target) => {
  const runs = Math.ceil((RUNS * target.share) / shares);
  const tally = await campaign(target, { seed: 1, runs });
  expect(tally.failures.slice(0, 3).map(inWords).join('\n\n')).toBe('');
  expect(tally.read).toBeGreaterThan(0);
  expect(tally.hardest / unit).toBeLessThan(MOST_WORK);
});

function inWords({ target, run, fault, bytes }: Failure): string {
  const file = Buffer.from(bytes.subarray(0, 4000)).toString('base64');
  return `${target}, run ${run}: ${fault}\nnpm run fuzz -- --only ${target} --seed 1 --from ${run} --runs 1\n${file}`;
}
