import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointOf } from 'mask-rcnn/node';
import { note } from '../output/print.ts';

/** What is taken when nothing was trained here and nothing is named. */
export const DEFAULT_WEIGHTS = 'maskrcnn_resnet50_fpn';

/** Where `train` writes its runs unless told otherwise. */
const RUNS = 'runs';

/** The weights to predict with when none are named: the newest run of this folder, else published ones. */
export function defaultWeights(): { readonly weights: string; readonly why: string } {
  const run = newestRun();
  if (run !== undefined) return { weights: run, why: 'the newest run here; name others with --weights' };
  return { weights: DEFAULT_WEIGHTS, why: 'published weights, for there is no run here; name others with --weights' };
}

/** The weights that are named, or those at hand; says which these are. */
export function namedOrDefault(named: string | undefined): string {
  if (named !== undefined) return named;
  const { weights, why } = defaultWeights();
  note(`weights: ${weights} (${why})`);
  return weights;
}

function newestRun(): string | undefined {
  if (!existsSync(RUNS)) return undefined;
  const runs = readdirSync(RUNS).flatMap((name) => {
    const file = checkpointOf(join(RUNS, name));
    return file === undefined ? [] : [{ run: join(RUNS, name), time: statSync(file).mtimeMs }];
  });
  return runs.toSorted((a, b) => b.time - a.time)[0]?.run;
}
