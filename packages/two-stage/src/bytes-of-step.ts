import type { Parameter, StepSize } from '@rcnn/core';
import { BYTES_PER_OUTPUT, bytesOfLayers, type LayerOutputs, outputsOfPyramid } from '@rcnn/detector';

/** A step of a detector that learns on regions. */
interface RegionStepSize extends StepSize {
  /** Regions per image on which the heads learn. */
  readonly roisPerImage: number;
}

type Parameters = ReadonlyMap<string, Pick<Parameter, 'shape' | 'size' | 'trainable'>>;

/** Share of the regions that have an object, and so a mask: the sampler takes no more. */
const POSITIVE_SHARE = 0.25;

const STRIDES = [4, 8, 16, 32, 64] as const;

/** Peak of the resident memory of a training in bytes, from a model's parameters by torchvision's names. */
export function bytesOfStep(parameters: Parameters, size: RegionStepSize): number {
  return bytesOfLayers(
    parameters,
    size,
    (name, shape) => outputsOfPyramid(name, size.imageSize, STRIDES) ?? outputsAbove(name, shape, size),
  );
}

function outputsAbove(name: string, shape: readonly number[], size: RegionStepSize): LayerOutputs {
  const ofRegions = name.startsWith('roi_heads.') && !name.includes('semantic_head');
  return {
    positions: positionsOf(name, size),
    channels: outChannels(name, shape),
    bytes: ofRegions ? BYTES_PER_OUTPUT.region : BYTES_PER_OUTPUT.map,
  };
}

/** Channels that a layer makes. Kernels are `[height, width, in, out]`, transposed ones `[height, width, out, in]`. */
function outChannels(name: string, shape: readonly number[]): number {
  return shape.at(/conv5_mask|lowres/.test(name) ? -2 : -1)!;
}

/** Positions per image at which a layer above the pyramid computes. */
function positionsOf(name: string, { imageSize: [height, width], roisPerImage }: RegionStepSize): number {
  const pixels = height * width;
  if (name.startsWith('rpn.')) return (pixels / 16) * (4 / 3); // all levels: 1 + 1/4 + 1/16 + …
  if (name.includes('semantic_head')) return pixels / 64; // all levels at the size of P3
  const again = /mask_(?:head|flow)\.(\d)\.(?:\d\.\d\.)?weight/.exec(name)?.[1]; // of a cascade: once in each later stage too
  if (again !== undefined && /mask_head\.\d\.\d\.\d|mask_flow/.test(name))
    return roisPerImage * POSITIVE_SHARE * 14 ** 2 * Math.max(1, 3 - Number(again));
  if (name.includes('mask')) return roisPerImage * POSITIVE_SHARE * 14 ** 2 * (/conv5_mask|logits/.test(name) ? 4 : 1);
  if (name.includes('keypoint_')) return roisPerImage * POSITIVE_SHARE * 14 ** 2 * (name.includes('lowres') ? 20 : 1);
  return roisPerImage * (/box_head\.\d+\.0\./.test(name) ? 7 ** 2 : 1); // convolutions in the box head of version 2
}
