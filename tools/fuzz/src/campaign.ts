import { Random } from '@rcnn/core/random';
import { Judge } from './judge.ts';
import { damaged } from './mutate.ts';
import type { Target } from './target.ts';

export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly run: number;
  readonly fault: string;
  readonly bytes: Uint8Array;
}

export interface Tally {
  read: number;
  refused: number;
  /** Processor time of the hardest run, in microseconds, and its number. */
  hardest: number;
  hardestRun: number;
  readonly failures: Failure[];
}

/** The file of one run: the same for the same seed and number, whatever ran before. */
export function fileOf(target: Target, seed: number, run: number): Uint8Array {
  const random = new Random(seed).fork(target.name, run);
  const { seeds, words = [], invent } = target;
  const file = invent !== undefined && random.chance(0.5) ? invent(random) : random.pick(seeds);
  // An invented file is good as it is, and better with a scratch.
  if (!seeds.includes(file) && random.chance(0.7)) return file;
  return damaged(file, seeds, words, random);
}

/** Runs `runs` files through a parser, from number `from` on. */
export async function campaign(
  target: Target,
  {
    seed,
    runs,
    from = 0,
    onRun,
  }: { readonly seed: number; readonly runs: number; readonly from?: number; readonly onRun?: (run: number) => void },
): Promise<Tally> {
  const tally: Tally = { read: 0, refused: 0, hardest: 0, hardestRun: from, failures: [] };
  const judge = new Judge();
  for (let run = from; run < from + runs; run++) {
    const bytes = fileOf(target, seed, run);
    onRun?.(run);
    const { end, fault } = await judge.run(target, bytes);
    if (judge.work > tally.hardest) [tally.hardest, tally.hardestRun] = [judge.work, run];
    if (end === 'failed') tally.failures.push({ target: target.name, seed, run, fault: fault!, bytes });
    else tally[end]++;
  }
  return tally;
}
