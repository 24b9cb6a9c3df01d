// One thread of an evaluation. Started by workers.ts; answers MatchJobs.
import { isRcnnError, packError } from '@rcnn/core/errors';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { axesOf, matchImages } from '../match/cells.ts';
import type { OutcomeColumns } from '../match/outcomes.ts';
import { type MatchAnswer, type MatchJob, unpackColumns } from './messages.ts';

/** Matches its share of the images and hands the memory over. */
export function matchShare({ truth, detections, params, from, to }: MatchJob): unknown {
  const columns = unpackColumns(truth);
  try {
    const outcomes = matchImages(columns, unpackColumns(detections), params, axesOf(columns, params), from, to);
    const answer: MatchAnswer = { outcomes };
    return move({ [transferableSymbol]: buffersOf(outcomes), [valueSymbol]: answer } as unknown as Parameters<
      typeof move
    >[0]);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { error: packError(error) } satisfies MatchAnswer;
  }
}

function buffersOf(outcomes: OutcomeColumns): ArrayBuffer[] {
  return Object.values(outcomes)
    .filter((column) => ArrayBuffer.isView(column))
    .map(({ buffer }) => buffer as ArrayBuffer);
}
