import type { ImageId } from '@rcnn/coco-data';
import { counted, RcnnError } from '@rcnn/core/errors';
import { note, print, printError } from '../output/print.ts';
import type { PartSet } from '../shards/part-set.ts';
import type { PredictLine } from './predict-shard.ts';
import type { ResultsFile } from './results-file.ts';

export interface MergedPredictions {
  readonly images: number;
  readonly objects: number;
  readonly bad: number;
}

/** Bad images that are named. */
const NAMED = 20;

/**
 * Puts the results of all parts in the order of the list: the same bytes that one process writes. Each image is there
 * once: each item of the list by its place, each image of an archive by its id.
 * @throws DUPLICATE_ID, and what reading throws
 */
export async function mergePredictions(
  parts: PartSet,
  results: ResultsFile | undefined,
  words = true,
): Promise<MergedPredictions> {
  const known = new ManyIds();
  let [images, objects, bad] = [0, 0, 0];
  for await (const lines of parts.items()) {
    for (const line of lines as readonly PredictLine[]) {
      if ('images' in line) continue;
      const { image_id: id, file_name: file, results: found = [], error } = line;
      images++;
      if (error !== undefined) {
        if (++bad <= NAMED) printError(`error ${error.code}`, error.message);
        continue;
      }
      if (!known.add(id)) throw twice(id, file);
      objects += found.length;
      await results?.add(found);
    }
  }
  if (bad > NAMED) note(`… and ${bad - NAMED} more.`);
  const { count } = parts.header.shard;
  if (words)
    print(
      `${counted(images, 'image')} in ${counted(count, 'part')}, ${counted(objects, 'object')}, ${bad} could not be used`,
    );
  return { images, objects, bad };
}

function twice(id: ImageId, place: string): RcnnError {
  return new RcnnError('DUPLICATE_ID', {
    where: 'merge',
    place,
    problem: 'two images have one id',
    found: String(id),
    hint: 'Is an image in the list under two names, or in two archives?',
  });
}

/** One Set holds 16.7 million values at most. */
const LARGEST_SET = 2 ** 23;

/** A set without a limit but memory. */
class ManyIds {
  readonly #sets: Set<ImageId>[] = [new Set()];

  /** @returns whether it is new */
  add(id: ImageId): boolean {
    if (this.#sets.some((set) => set.has(id))) return false;
    if (this.#sets.at(-1)!.size >= LARGEST_SET) this.#sets.push(new Set());
    this.#sets.at(-1)!.add(id);
    return true;
  }
}
