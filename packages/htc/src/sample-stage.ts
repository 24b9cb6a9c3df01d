import { type BoxMatcher, type Sampler, takeBoxes } from '@rcnn/boxes';
import { type Random, type Target, takeObjects } from '@rcnn/core';
import { matchRegions, type SampledRoIs } from '@rcnn/roi-heads';

/** Regions of one image that a stage learns from. */
export interface StageSample {
  /** Positives first. */
  readonly regions: SampledRoIs;
  /** Which of them were proposed; the others are the objects' own boxes, which are not handed on. */
  readonly proposed: Int32Array;
}

export interface SampleStageOptions {
  readonly matcher: BoxMatcher;
  readonly sampler: Sampler;
  /** Draws the sample. */
  readonly random: Random;
}

/**
 * Draws regions of one image in mmdetection's way: proposals are matched among themselves, the true boxes come before
 * them and belong to themselves, positives come before negatives.
 * @param proposals `[P * 4]`
 */
export function sampleStage(
  proposals: Float32Array,
  target: Pick<Target, 'boxes' | 'labels'>,
  { matcher, sampler, random }: SampleStageOptions,
): StageSample {
  const found = matchRegions(proposals, target, matcher);
  const truths = target.labels.length;
  const all: SampledRoIs = {
    boxes: Float32Array.from([...target.boxes, ...proposals]),
    labels: Int32Array.from([...target.labels, ...found.labels]),
    matchedIndices: Int32Array.from([...target.labels.keys(), ...found.matchedIndices]),
  };
  const { positives, negatives } = sampler.sample(all.labels, random);
  const rows = Int32Array.from([...positives, ...negatives]);
  const proposed = Int32Array.from(rows.keys()).filter((row) => rows[row]! >= truths);
  return { regions: takeObjects(all, rows), proposed };
}

/** The boxes of what was proposed, in their order: `[P * 4]`. */
export function proposedOf(boxes: Float32Array, { proposed }: StageSample): Float32Array {
  return takeBoxes(boxes, proposed);
}
