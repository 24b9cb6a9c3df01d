import type { Parameter, StepSize } from '@rcnn/core';
import { bytesOfLayers, type LayerOutputs, outputsOfPyramid } from '@rcnn/detector';
import type { GridLevel } from './levels.ts';

/** Of P2 to P6. */
const STRIDES = [4, 8, 16, 32, 64] as const;
/** Of the maps that the heads look at: P2 is halved, P6 has the size of P5. */
const HEAD_STRIDES = [8, 8, 16, 32, 32] as const;

/** Masks of an image that cells learn at once: a few objects on two levels, a few cells each. */
const MASKS = 64;
/** Of each cell of such a mask: what it is, its truth, their gradients. */
const BYTES_PER_CELL = 4 * 4;

/** Peak of the resident memory of a training in bytes, from a model's parameters by their names. */
export function bytesOfStep(
  parameters: ReadonlyMap<string, Parameter>,
  size: StepSize,
  levels: readonly GridLevel[],
): number {
  const [height, width] = size.imageSize;
  const at = (stride: number): number => (height * width) / stride ** 2;
  const layers = bytesOfLayers(
    parameters,
    size,
    (name) => outputsOfPyramid(name, size.imageSize, STRIDES) ?? { positions: positionsOf(name, levels, at) },
  );
  return layers + BYTES_PER_CELL * size.batchSize * MASKS * at(STRIDES[0]);
}

/** Places per image at which a layer of a head computes. */
function positionsOf(
  name: string,
  levels: readonly GridLevel[],
  at: (stride: number) => number,
): LayerOutputs['positions'] {
  const climb = /mask_feature_head\.convs_all_levels\.(\d)\.conv(\d)\./.exec(name);
  if (climb !== null) return 2 * at(STRIDES[Math.max(0, Number(climb[1]) - Number(climb[2]))]!); // once more when stretched
  if (name.includes('mask_feature_head.')) return at(STRIDES[0]);
  const ofLevel = /conv_mask_list(?:_[xy])?\.(\d)\./.exec(name)?.[1];
  if (ofLevel !== undefined) return at(HEAD_STRIDES[Number(ofLevel)]! / 2);
  if (name.includes('mask_convs')) return HEAD_STRIDES.reduce((sum, stride) => sum + at(stride), 0);
  return levels.reduce((sum, { grid }) => sum + grid ** 2, 0);
}
