import { RcnnError } from '@rcnn/core';

/** How many layers with weights the classifier of that name has. */
export type VGGDepth = 11 | 13 | 16 | 19;

/** 3x3 convolutions of each of the five stages. @see Simonyan and Zisserman 2014, table 1 (arXiv:1409.1556) */
const CONVOLUTIONS: Readonly<Record<VGGDepth, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

/** The convolutions of each stage of a depth. @throws INVALID_ARGUMENT */
export function convolutionsOfDepth(depth: VGGDepth): readonly number[] {
  const found = (CONVOLUTIONS as Partial<Record<number, readonly number[]>>)[depth];
  if (found !== undefined) return found;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'VGG',
    place: 'depth',
    problem: 'there is no such VGG',
    found: String(depth),
    expected: Object.keys(CONVOLUTIONS).join(', '),
  });
}
