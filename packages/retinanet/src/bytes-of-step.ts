import type { Parameter, StepSize } from '@rcnn/core';
import { bytesOfLayers, outputsOfPyramid } from '@rcnn/detector';

/**
 * Peak of the resident memory of a training in bytes, from a model's parameters by torchvision's names.
 * @param strides of the pyramid's levels, finest first: the head looks at all of them
 */
export function bytesOfStep(
  parameters: ReadonlyMap<string, Parameter>,
  size: StepSize,
  strides: readonly number[],
): number {
  const [height, width] = size.imageSize;
  const positions = strides.reduce((sum, stride) => sum + (height * width) / stride ** 2, 0);
  return bytesOfLayers(parameters, size, (name) => outputsOfPyramid(name, size.imageSize, strides) ?? { positions });
}
