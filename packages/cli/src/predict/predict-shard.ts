import { join } from 'node:path';
import type { ImageId } from '@rcnn/coco-data';
import { counted } from '@rcnn/core/errors';
import { type Shard, shardItems } from '@rcnn/distributed';
import { Counter } from '../output/counter.ts';
import { costsItself, tellFailure } from '../output/failures.ts';
import { OwnFiles } from '../output/own-files.ts';
import { endStatus, note, printJson } from '../output/print.ts';
import { type PartLine, partName } from '../shards/part.ts';
import { digestOf } from '../shards/weights-digest.ts';
import { type Input, readInput } from './input.ts';
import { PictureWriter } from './pictures.ts';
import type { PredictImagesOptions } from './predict-images.ts';
import type { Predictor } from './predictor.ts';
import type { FileResult } from './results-file.ts';
import { isArchive, type Unit } from './unit.ts';

/** What became of one image. */
export interface ImageLine extends PartLine {
  readonly image_id: ImageId;
  readonly file_name: string;
  readonly results?: readonly FileResult[];
  /** Why it could not be used; then there are no results. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** The last line about an archive: so many images came out of it. */
export interface ArchiveLine extends PartLine {
  readonly images: number;
}

export type PredictLine = ImageLine | ArchiveLine;

/** Seconds between two lines of a log. */
const EVERY = 30;

/** Predicts the images of one shard, and gives what a part has of them. An image that cannot be used costs itself. */
export async function* predictShard(
  units: readonly Unit[],
  shard: Shard,
  predictor: Predictor,
  { out, save, crops, masks, json }: Pick<PredictImagesOptions, 'out' | 'save' | 'crops' | 'masks' | 'json'>,
): AsyncGenerator<PredictLine> {
  const own = shardItems(units, shard);
  // Pictures of two shards may have one name, and no process knows the names of all.
  const folder = join(out, partName(shard).replace('.jsonl', ''));
  const files = new OwnFiles(units.map(({ name }) => name));
  const wanted = { out: folder, pictures: save, crops, masks, own: files };
  const writer = save || crops || masks ? await PictureWriter.open(wanted, predictor) : undefined;
  const counter = new Counter(own.some(({ item }) => isArchive(item)) ? undefined : own.length, 'images', EVERY);
  let bad = 0;
  const lineOf = async (place: number, input: Input): Promise<ImageLine> => {
    const about = { place, image_id: input.id, file_name: input.file };
    let results: readonly FileResult[] = [];
    const failure = await costsItself(async () => {
      const image = await readInput(input);
      const found = await predictor.find(image, input.id);
      results = found.results.map((result): FileResult => ({ ...result, file_name: input.file }));
      await writer?.write(input.file, image, found.shown);
    });
    if (failure !== undefined) {
      bad++;
      tellFailure(input.file, failure);
    } else if (json) for (const result of results) printJson(result, { compact: true });
    counter.done(`${input.file}: ${failure === undefined ? counted(results.length, 'object') : 'could not be used'}`);
    if (failure === undefined) return { ...about, results };
    return { ...about, error: { code: failure.code, message: failure.message } };
  };
  for (const { item, place } of own) {
    if (typeof item.images !== 'function') {
      yield await lineOf(place, item.images);
      continue;
    }
    let count = 0;
    for await (const input of item.images()) {
      yield await lineOf(place, input);
      count++;
    }
    yield { place, images: count };
  }
  endStatus();
  if (bad > 0) note(`${counted(bad, 'image')} could not be used; 'mask-rcnn merge' names them.`);
}

/** The digest of a list: its names and ids, in their order. */
export function listDigest(units: readonly Unit[]): string {
  return digestOf(units.map(({ name, images }) => (typeof images === 'function' ? [name] : [name, images.id])));
}
