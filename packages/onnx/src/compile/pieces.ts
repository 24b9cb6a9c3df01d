import { concatFloats } from '@rcnn/core';
import { countRoIs, type RoIs } from '@rcnn/roi-heads';

type Regions = readonly Pick<RoIs, 'boxes' | 'labels'>[];

/**
 * Asks about at most `size` regions at once, each time as a batch of as many images: pooled regions and what a head
 * makes of them are the largest tensors after the pyramid.
 * @param ask gives some lists of numbers, as many for each region
 */
export async function inPieces(
  regions: Regions,
  size: number,
  ask: (piece: Regions) => Promise<readonly Float32Array[]>,
): Promise<Float32Array[]> {
  const total = countRoIs(regions);
  const answers: (readonly Float32Array[])[] = [];
  for (let from = 0; from < total; from += size) answers.push(await ask(slice(regions, from, from + size)));
  return answers[0]!.map((_, k) => concatFloats(answers.map((answer) => answer[k]!)));
}

/** The regions from one place to another, counted over all images. */
function slice(regions: Regions, from: number, to: number): Regions {
  let start = 0;
  return regions.map(({ boxes, labels }) => {
    const [first, end] = [from - start, to - start].map((place) => Math.min(labels.length, Math.max(0, place)));
    start += labels.length;
    return { boxes: boxes.subarray(4 * first!, 4 * end!), labels: labels.subarray(first, end) };
  });
}
