// One thread of an evaluation. Started by workers.ts with a MatchJob; sends one MatchAnswer and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { isRcnnError } from '@rcnn/core/errors';
import { axesOf, matchImages } from '../engine.ts';
import { type MatchAnswer, type MatchJob, packError, unpackColumns } from './messages.ts';

parentPort!.postMessage(answer(workerData as MatchJob));

function answer({ truth, detections, params, from, to }: MatchJob): MatchAnswer {
  const columns = unpackColumns(truth);
  try {
    return { outcomes: matchImages(columns, unpackColumns(detections), params, axesOf(columns, params), from, to) };
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return { error: packError(error) };
  }
}
