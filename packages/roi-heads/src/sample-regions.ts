import { BETWEEN_THRESHOLDS, type BoxMatcher, type Sampler, takeBoxes } from '@rcnn/boxes';
import { type Random, type Target, takeObjects } from '@rcnn/core';
import type { SampledRoIs } from './rois.ts';

/** What regions of an image are matched with. */
type Truth = Pick<Target, 'boxes' | 'labels'>;

/** Links the regions of one image with its objects: all of them, in their order. Ignored ones have the label -1. */
export function matchRegions(boxes: Float32Array, { boxes: gtBoxes, labels }: Truth, matcher: BoxMatcher): SampledRoIs {
  const matched = matcher.matchBoxes(gtBoxes, boxes);
  return {
    boxes,
    labels: matched.map((gt) => (gt >= 0 ? labels[gt]! : gt === BETWEEN_THRESHOLDS ? -1 : 0)),
    matchedIndices: matched.map((gt) => (gt >= 0 ? gt : -1)),
  };
}

export interface SampleRegionsOptions {
  readonly matcher: BoxMatcher;
  readonly sampler: Sampler;
  /** Draws the sample. */
  readonly random: Random;
}

/**
 * The regions of one image to learn from: the proposals and the true boxes, so that every object has a region however
 * poor the proposals, matched and drawn from. In the order of the proposals, true boxes last.
 * @param proposals `[P * 4]`
 */
export function sampleRegions(
  proposals: Float32Array,
  target: Truth,
  { matcher, sampler, random }: SampleRegionsOptions,
): SampledRoIs {
  const boxes = new Float32Array(proposals.length + target.boxes.length);
  boxes.set(proposals);
  boxes.set(target.boxes, proposals.length);
  const regions = matchRegions(boxes, target, matcher);
  const { positives, negatives } = sampler.sample(regions.labels, random);
  return takeObjects(regions, Int32Array.from([...positives, ...negatives]).sort());
}

/** The true box of each region, which must have one: `[R * 4]`. */
export function matchedBoxes({ matchedIndices }: SampledRoIs, { boxes }: Truth): Float32Array {
  return takeBoxes(boxes, matchedIndices);
}
