import type { KeypointScheme } from '@rcnn/core';
import type { Category } from './records.ts';

/**
 * What the key points of a set are, from its categories that name as many: names, lines, and who takes whose place in a
 * mirrored image. Undefined where none names them, or where two categories mean different things by one number.
 */
export function keypointSchemeOf(categories: readonly Category[], count: number): KeypointScheme | undefined {
  const naming = categories.filter(({ keypoints }) => count > 0 && keypoints?.length === count);
  const schemes = naming.map(({ keypoints: names = [], skeleton = [] }): KeypointScheme => {
    const partners = mirrorPartners(names);
    return { names, skeleton: linesOf(skeleton, count), ...(partners && { partners }) };
  });
  const [first] = schemes;
  return schemes.every(({ names }) => names.join('\n') === first!.names.join('\n')) ? first : undefined;
}

/** Files count from 1, and some have pairs that lead nowhere. */
function linesOf(skeleton: NonNullable<Category['skeleton']>, count: number): [number, number][] {
  return skeleton
    .filter((pair) => Array.isArray(pair) && pair.length === 2)
    .map(([from, to]): [number, number] => [from - 1, to - 1])
    .filter((pair) => pair.every((end) => Number.isInteger(end) && end >= 0 && end < count));
}

/**
 * Which key point takes the place of each when left and right are swapped, told by names: `left_eye` and `right_eye`,
 * `LeftEye`, `L_Eye`, `eye-r`. A point of no side keeps its place. Undefined when one has a side and no partner.
 */
export function mirrorPartners(names: readonly string[]): number[] | undefined {
  const words = names.map(wordsOf);
  const places = new Map(words.map((parts, i) => [parts.join(' '), i]));
  const partners = words.map((parts) => places.get(parts.map((word) => OTHER_SIDE[word] ?? word).join(' ')));
  return partners.every((partner) => partner !== undefined) ? partners : undefined;
}

const OTHER_SIDE: Readonly<Record<string, string>> = { left: 'right', right: 'left', l: 'r', r: 'l' };

/** `LeftEye`, `left_eye` and `left-eye` alike: `left`, `eye`. */
function wordsOf(name: string): string[] {
  const apart = name.replaceAll(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2');
  return apart
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}
