import { counted } from '@rcnn/core/errors';
import { Counter } from '../output/counter.ts';
import { costsItself, tellFailure } from '../output/failures.ts';
import type { OwnFiles } from '../output/own-files.ts';
import { endStatus, note, print, printJson } from '../output/print.ts';
import { readInput } from './input.ts';
import { PictureWriter } from './pictures.ts';
import type { Predictor } from './predictor.ts';
import type { FileResult, ResultsFile } from './results-file.ts';
import { imagesOf, isArchive, type Unit } from './unit.ts';

export interface PredictImagesOptions {
  readonly out: string;
  /** The files that the run may write there. */
  readonly own: OwnFiles;
  readonly save: boolean;
  readonly crops: boolean;
  readonly masks: boolean;
  /** Objects as JSON lines on stdout, in place of words. */
  readonly json: boolean;
  /** Whether stdout is free for words: it may be wanted for a results list. */
  readonly words: boolean;
  readonly results: ResultsFile | undefined;
  /** At most so many images, or frames of a video. */
  readonly limit?: number | undefined;
}

/**
 * Predicts images one after the other and hands out each answer as soon as it is there. An image that cannot be used is
 * named and costs only itself.
 * @returns how many could not be used
 */
export async function predictImages(
  units: readonly Unit[],
  predictor: Predictor,
  { out, own, save, crops, masks, json, words, results, limit = Number.POSITIVE_INFINITY }: PredictImagesOptions,
): Promise<number> {
  const wanted = { out, pictures: save, crops, masks, own };
  const writer = save || crops || masks ? await PictureWriter.open(wanted, predictor) : undefined;
  const total = units.some(isArchive) ? undefined : Math.min(limit, units.length);
  const counter = new Counter(total);
  let seen = 0;
  let bad = 0;
  for await (const input of imagesOf(units)) {
    if (seen++ >= limit) break;
    const start = performance.now();
    const failure = await costsItself(async () => {
      const image = await readInput(input);
      const found = await predictor.find(image, input.id);
      const lines = found.results.map((result): FileResult => ({ ...result, file_name: input.file }));
      await results?.add(lines);
      const picture = await writer?.write(input.file, image, found.shown);
      endStatus();
      if (json) for (const line of lines) printJson(line, { compact: true });
      else if (words) print(total === 1 ? found.words : `${input.file}: ${found.words}`);
      if (total === 1 && picture !== undefined) note(`The picture is in ${picture}`);
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      counter.done(`${input.file}: ${image.height}x${image.width}, ${found.words}, ${seconds} s`);
    });
    if (failure === undefined) continue;
    bad++;
    tellFailure(input.file, failure);
    counter.done(`${input.file}: could not be used`);
  }
  endStatus();
  const all = total ?? Math.min(seen, limit);
  if (all > 1 && bad < all && (save || crops || masks)) note(`The pictures are in ${out}`);
  if (bad > 0) note(`${bad} of ${counted(all, 'image')} could not be used.`);
  return bad;
}
