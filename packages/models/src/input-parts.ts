import { type InputSpec, RcnnError } from '@rcnn/core';

/** What recipes with torchvision's transform take over from weights. Sides in pixels, mean and deviation from 0 to 1. */
export type InputOptions = Partial<Pick<InputSpec, 'sizeDivisor' | 'mean' | 'std' | 'channelOrder'>> & {
  readonly minSize?: number;
  readonly maxSize?: number;
};

/**
 * How images are prepared for weights, as options of a recipe that resizes as torchvision does; none without weights.
 * @param method what a person would build instead, such as 'SOLO'
 * @throws RcnnError CHECKPOINT_MISMATCH for any other rule
 */
export function inputAsTorchvision(name: string, method: string, input: InputSpec | undefined): InputOptions {
  if (input === undefined) return {};
  const { resize, sizeDivisor, mean, std, channelOrder } = input;
  if (resize.rule !== 'torchvision') throw otherInput(name, method, input, "torchvision's rule");
  return { minSize: resize.minSize, maxSize: resize.maxSize, sizeDivisor, mean, std, channelOrder };
}

/** Weights that expect images prepared in a way that a recipe does not do. */
export function otherInput(name: string, method: string, { resize }: InputSpec, expected: string): RcnnError {
  return new RcnnError('CHECKPOINT_MISMATCH', {
    where: name,
    place: 'profile',
    problem: 'the weights expect what this recipe does not do',
    found: `images resized by the rule '${resize.rule}'`,
    expected,
    hint: `Build a ${method} with a transform of your own, and load it with loadStateDict.`,
  });
}
