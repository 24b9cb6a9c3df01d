import { isRcnnError } from '@rcnn/core/errors';
import { Counter } from '../output/counter.ts';
import { endStatus, note, print, printError, printJson } from '../output/print.ts';
import type { Input } from './input.ts';
import { PictureWriter } from './pictures.ts';
import type { Predictor } from './predictor.ts';
import type { FileResult, ResultsFile } from './results-file.ts';

export interface PredictImagesOptions {
  readonly out: string;
  readonly save: boolean;
  readonly crops: boolean;
  readonly masks: boolean;
  /** Objects as JSON lines on stdout, in place of words. */
  readonly json: boolean;
  /** Whether stdout is free for words: it may be wanted for a results list. */
  readonly words: boolean;
  readonly results: ResultsFile | undefined;
}

/**
 * Predicts images one after the other and hands out each answer as soon as it is there. An image that cannot be used is
 * named and costs only itself.
 * @returns how many could not be used
 */
export async function predictImages(
  inputs: readonly Input[],
  predictor: Predictor,
  { out, save, crops, masks, json, words, results }: PredictImagesOptions,
): Promise<number> {
  const wanted = { out, pictures: save, crops, masks, inputs: inputs.map(({ file }) => file) };
  const writer = save || crops || masks ? await PictureWriter.open(wanted, predictor.names) : undefined;
  const counter = new Counter(inputs.length);
  let bad = 0;
  for (const input of inputs) {
    const start = performance.now();
    try {
      const image = await input.read();
      const found = await predictor.find(image, input.id);
      const lines = found.results.map((result): FileResult => ({ ...result, file_name: input.file }));
      await results?.add(lines);
      const picture = await writer?.write(input.file, image, found.shown);
      endStatus();
      if (json) for (const line of lines) printJson(line, { compact: true });
      else if (words) print(inputs.length === 1 ? found.words : `${input.file}: ${found.words}`);
      if (inputs.length === 1 && picture !== undefined) note(`The picture is in ${picture}`);
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      counter.done(`${input.file}: ${image.height}x${image.width}, ${found.words}, ${seconds} s`);
    } catch (error) {
      if (!isRcnnError(error) || isOurs(error.code)) throw error;
      bad++;
      endStatus();
      printError(
        `error ${error.code}`,
        error.message.includes(input.file) ? error.message : `${input.file}: ${error.message}`,
      );
      counter.done(`${input.file}: could not be used`);
    }
  }
  endStatus();
  if (inputs.length > 1 && (save || crops || masks)) note(`The pictures are in ${out}`);
  if (bad > 0) note(`${bad} of ${inputs.length} images could not be used.`);
  return bad;
}

/** Where nothing can be written, the next image would fare no better. */
function isOurs(code: string): boolean {
  return ['DISK_FULL', 'FILE_EXISTS', 'OUT_OF_MEMORY', 'ENGINE_BROKEN', 'DISPOSED', 'INTERRUPTED'].includes(code);
}
