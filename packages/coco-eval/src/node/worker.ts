// One thread of an evaluation. Started by workers.ts with a MatchJob; sends one MatchAnswer and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { isRcnnError, packError } from '@rcnn/core/errors';
import { axesOf, matchImages } from '../match/cells.ts';
import { type MatchAnswer, type MatchJob, unpackColumns } from './messages.ts';

const reply = answer(workerData as MatchJob);
parentPort!.postMessage(reply, buffersOf(reply)); // the memory is handed over, not copied

function answer({ truth, detections, params, from, to }: MatchJob): MatchAnswer {
  const columns = unpackColumns(truth);
  try {
    return { outcomes: matchImages(columns, unpackColumns(detections), params, axesOf(columns, params), from, to) };
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { error: packError(error) };
  }
}

function buffersOf(reply: MatchAnswer): ArrayBuffer[] {
  if ('error' in reply) return [];
  return Object.values(reply.outcomes)
    .filter((column) => ArrayBuffer.isView(column))
    .map(({ buffer }) => buffer as ArrayBuffer);
}
