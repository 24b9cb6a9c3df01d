import { availableParallelism } from 'node:os';
import { RcnnError, unpackError } from '@rcnn/core/errors';
import { Piscina } from 'piscina';
import { type EvaluateOptions, type Evaluation, evaluate, finish } from '../evaluate.ts';
import { axesOf } from '../match/cells.ts';
import { Outcomes } from '../match/outcomes.ts';
import { type IoUType, resolveParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { type MatchAnswer, type MatchJob, packColumns } from './messages.ts';

export interface WorkersOptions {
  /**
   * Threads that match images, each its share of them; 0 is this one. Default: this one, but for very many masks as many
   * as the machine has processors, up to 4.
   */
  readonly workers?: number | undefined;
}

/**
 * {@link evaluate} with threads: the same bits for any number of them, and the same error where there is one. The
 * threads have ended when the promise settles.
 * @throws as `evaluate`, and INVALID_ARGUMENT for masks that cannot be sent
 */
export async function evaluateWithWorkers(
  truth: GroundTruth,
  detections: Detections,
  { workers: wanted, ...options }: EvaluateOptions & WorkersOptions = {},
): Promise<Evaluation> {
  const workers = wanted ?? usefulWorkers(detections, options.iouType);
  checkWorkers(workers);
  if (workers === 0) return evaluate(truth, detections, options);
  const { iouType = 'bbox', ...rest } = options;
  const params = resolveParams(iouType, rest);
  const axes = axesOf(truth, params);
  const images = axes.imageIds.length;
  const threads = Math.max(1, Math.min(workers, images));
  const job = { truth: packColumns(truth), detections: packColumns(detections), params };
  const bound = (thread: number): number => Math.floor((thread * images) / threads);
  const pool = new Piscina<MatchJob, MatchAnswer>({
    filename: workerFile(),
    name: 'matchShare',
    minThreads: threads,
    maxThreads: threads,
  });
  const shares = Array.from({ length: threads }, (_, i) => pool.run({ ...job, from: bound(i), to: bound(i + 1) }));
  const answers = await Promise.allSettled(shares);
  await pool.destroy();
  const outcomes = new Outcomes(params, axes.columns, Math.max(1, detections.count));
  for (const answer of answers) {
    // Of several errors the one of the first image is thrown, as without threads.
    if (answer.status === 'rejected') throw answer.reason;
    if ('error' in answer.value) throw unpackError(answer.value.error);
    outcomes.append(answer.value.outcomes);
  }
  return finish(truth, outcomes, params, detections.warnings);
}

/** Fewer masks than this are matched before threads have started. */
const MANY_MASKS = 150_000;

function usefulWorkers({ count }: Detections, iouType: IoUType | undefined): number {
  const byMasks = iouType === 'segm' || iouType === 'boundary';
  return byMasks && count >= MANY_MASKS ? Math.min(4, availableParallelism()) : 0;
}

/** Threads need JavaScript: when this file runs from source, the built worker is used. */
function workerFile(): string {
  const fromSource = import.meta.url.endsWith('.ts');
  return new URL(fromSource ? '../../dist/node/worker.js' : './worker.js', import.meta.url).href;
}

function checkWorkers(workers: number): void {
  if (Number.isInteger(workers) && workers >= 0) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'evaluateWithWorkers',
    place: 'workers',
    problem: 'must be a whole number that is not negative',
    found: String(workers),
  });
}
