import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { counted } from '@rcnn/core/errors';
import { fileError, OutputFolder } from '@rcnn/files';
import { Counter } from '../output/counter.ts';
import type { NewNames } from '../output/new-names.ts';
import { endStatus, note, print, printJson } from '../output/print.ts';
import { drawFound, PictureWriter } from './pictures.ts';
import type { PredictImagesOptions } from './predict-images.ts';
import type { Predictor } from './predictor.ts';
import type { FileResult } from './results-file.ts';
import { frames, isOurVideo, type VideoSource, type VideoWriter, videoFacts, videoWriter } from './video.ts';

export interface PredictVideoOptions extends PredictImagesOptions {
  readonly newNames: NewNames;
  /** Asked before each frame: a camera ends when it is told to. */
  readonly shouldStop: () => boolean;
}

/** Predicts each frame of a video and writes the annotated one; a few frames are in memory at a time, never more. */
export async function predictVideo(
  source: VideoSource,
  predictor: Predictor,
  { out, own, save, crops, masks, json, words, results, limit = Infinity, newNames, shouldStop }: PredictVideoOptions,
): Promise<void> {
  const { rate, frames: all } = await videoFacts(source);
  const total = Math.min(all ?? Infinity, limit);
  const counter = new Counter(Number.isFinite(total) ? total : undefined, 'frames', 5);
  const wanted = { out, pictures: false, crops, masks, own };
  const pictures = crops || masks ? await PictureWriter.open(wanted, predictor) : undefined;
  if (save) await OutputFolder.open(out);
  const stem = newNames.take(source.name);
  const ending = endingOf(source.name);
  // The stem stays in the ids of results, whatever the folder holds.
  const file = save ? await own.takeFree(join(out, stem + ending), isOurVideo) : undefined;
  const part = join(out, `.${randomUUID()}.part${ending}`);
  let writer: VideoWriter | undefined;
  let index = 0;
  try {
    for await (const frame of frames(source)) {
      if (index >= limit || shouldStop()) break;
      index++;
      const name = `${basename(source.name)}#${index}`;
      const found = await predictor.find(frame, `${stem}:${index}`);
      const lines = found.results.map((result): FileResult => ({ ...result, file_name: name }));
      await results?.add(lines);
      await pictures?.write(name, frame, found.shown);
      if (file !== undefined) {
        writer ??= videoWriter(part, frame, rate);
        await writer.write(drawFound(frame, found.shown, predictor));
      }
      if (json) for (const line of lines) printJson(line, { compact: true });
      counter.done(`${name}: ${frame.height}x${frame.width}, ${found.words}`);
    }
    endStatus();
    if (writer !== undefined && file !== undefined) await finish(writer, part, file);
    writer = undefined;
  } finally {
    endStatus();
    writer?.abort();
    await rm(part, { force: true });
  }
  if (words && !json) print(`${source.name}: ${counted(index, 'frame')}`);
  if (file !== undefined && index > 0) note(`The video is in ${file}`);
}

async function finish(writer: VideoWriter, part: string, file: string): Promise<void> {
  await writer.end();
  try {
    await rename(part, file);
  } catch (error) {
    throw fileError(file, 'the video cannot be put in its place', error);
  }
}

/** Containers that take what ffmpeg writes by default; others become MP4. */
function endingOf(name: string): string {
  const ending = extname(name).toLowerCase();
  return ['.mp4', '.mov', '.mkv'].includes(ending) ? ending : '.mp4';
}
