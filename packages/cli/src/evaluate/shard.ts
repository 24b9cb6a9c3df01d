import type { Dataset, ImageId } from '@rcnn/coco-data';
import type { Detector } from '@rcnn/core';
import { type Shard, shardItems } from '@rcnn/distributed';
import { EvaluationPass, type EvaluationPassOptions, type ImageAnswer } from '@rcnn/train';
import { Counter } from '../output/counter.ts';
import type { PartLine } from '../shards/part.ts';
import { digestOf } from '../shards/weights-digest.ts';

/** What a part of `val` has of an image: what the model says of it, or why it was left out. */
export type EvaluationLine = PartLine & (Answered | LeftOut);

interface Answered extends Omit<ImageAnswer, 'index'> {
  /** Labels that no category has, each with the count of objects, where any were found. */
  readonly uncategorized?: readonly LabelCount[];
}

type LabelCount = readonly [label: number, count: number];

interface LeftOut {
  readonly image_id: ImageId;
  readonly error: { readonly message: string };
}

/** Seconds between two lines of a log. */
const EVERY = 30;

/** Evaluates the images of one shard. How many may be left out is judged when all parts are there. */
export async function* evaluateShard(
  model: Detector,
  dataset: Dataset,
  shard: Shard,
  options: Pick<EvaluationPassOptions, 'losses' | 'badSamples'>,
): AsyncGenerator<EvaluationLine> {
  const indices = shardItems([...dataset.images.keys()], shard).map(({ place }) => place);
  const counter = new Counter(indices.length, 'images', EVERY);
  const pass = new EvaluationPass(model, dataset, { ...options, indices, maxSkipRate: 1 });
  const known = new Map<number, number>();
  let told = 0; // of those that were left out
  const leftOut = function* (before: number): Generator<EvaluationLine> {
    for (; told < pass.skipped.length && pass.skipped[told]!.index < before; told++) {
      const { index, imageId, message } = pass.skipped[told]!;
      yield { place: index, image_id: imageId, error: { message } };
    }
  };
  for await (const { answer } of pass) {
    const { index, ...rest } = answer;
    yield* leftOut(index);
    const found = newSince(known, pass.uncategorized.counts);
    yield { place: index, ...rest, ...(found.length > 0 && { uncategorized: found }) };
    counter.done(dataset.images[index]!.file);
  }
  yield* leftOut(Number.POSITIVE_INFINITY);
}

/** What was counted since it was last asked for. */
function newSince(known: Map<number, number>, counts: ReadonlyMap<number, number>): readonly LabelCount[] {
  const found: LabelCount[] = [];
  for (const [label, count] of counts) {
    const before = known.get(label) ?? 0;
    if (count > before) found.push([label, count - before]);
    known.set(label, count);
  }
  return found;
}

/** A digest of all that a dataset says: parts are only added up when it was the same for all. */
export function truthDigest(dataset: Dataset): string {
  const records = function* (): Generator<unknown> {
    yield dataset.classes.classes;
    for (const index of dataset.images.keys()) yield dataset.records(index);
  };
  return digestOf(records());
}
