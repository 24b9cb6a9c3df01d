import type { Parameter, StepSize } from '@rcnn/core';

/** A step of a detector that learns on regions. */
interface RegionStepSize extends StepSize {
  /** Regions per image on which the heads learn. */
  readonly roisPerImage: number;
}

type Parameters = ReadonlyMap<string, Pick<Parameter, 'shape' | 'size' | 'trainable'>>;

/** Share of the regions that have an object, and so a mask: the sampler takes no more. */
const POSITIVE_SHARE = 0.25;

/**
 * Bytes of one float, times what a process was measured to hold for it (`npm run bench -- memory`): a weight is copied
 * while it is saved; an output is there as its norm keeps it and once more after the activation, and the gradients at
 * hand are few beside all outputs; the stem's are the largest maps, padded and pooled, and their gradients come together;
 * of the regions allowed few have a mask.
 */
const BYTES = {
  process: 560 * 2 ** 20,
  perWeight: 4 * 2.6,
  perStemOutput: 4 * 16,
  perOutput: 4 * 2.4,
  perRegionOutput: 4 * 2,
};

/** Peak of the resident memory of a training in bytes, from a model's parameters by torchvision's names. */
export function bytesOfStep(parameters: Parameters, size: RegionStepSize): number {
  let bytes = BYTES.process;
  let learns = false; // what comes before the first layer that learns is not kept
  for (const [name, { shape, trainable, size: count }] of parameters) {
    bytes += BYTES.perWeight * count * (trainable ? 2 + size.slots : 1);
    learns ||= trainable;
    if (!learns || shape.length < 2 || !name.endsWith('weight')) continue;
    bytes += bytesPerOutput(name) * size.batchSize * positionsOf(name, size) * outChannels(name, shape);
  }
  return bytes;
}

function bytesPerOutput(name: string): number {
  if (name.startsWith('roi_heads.') && !name.includes('semantic_head')) return BYTES.perRegionOutput;
  return isStem(name) ? BYTES.perStemOutput : BYTES.perOutput;
}

const isStem = (name: string): boolean => name.includes('.body.') && !name.includes('.layer');

/** Channels that a layer makes. Kernels are `[height, width, in, out]`, transposed ones `[height, width, out, in]`. */
function outChannels(name: string, shape: readonly number[]): number {
  return shape.at(/conv5_mask|lowres/.test(name) ? -2 : -1)!;
}

/** Positions per image at which a layer computes. */
function positionsOf(name: string, { imageSize: [height, width], roisPerImage }: RegionStepSize): number {
  const pixels = height * width;
  const stage = /body\.layer(\d)/.exec(name)?.[1];
  if (stage !== undefined) return pixels / 4 ** (Number(stage) + 1);
  if (isStem(name)) return pixels / 4;
  const level = /fpn\.\w+\.(\d)/.exec(name)?.[1];
  if (level !== undefined) return pixels / 4 ** (Number(level) + 2);
  if (name.startsWith('rpn.')) return (pixels / 16) * (4 / 3); // all levels: 1 + 1/4 + 1/16 + …
  if (name.includes('semantic_head')) return pixels / 64; // all levels at the size of P3
  const again = /mask_(?:head|flow)\.(\d)\.(?:\d\.\d\.)?weight/.exec(name)?.[1]; // of a cascade: once in each later stage too
  if (again !== undefined && /mask_head\.\d\.\d\.\d|mask_flow/.test(name))
    return roisPerImage * POSITIVE_SHARE * 14 ** 2 * Math.max(1, 3 - Number(again));
  if (name.includes('mask')) return roisPerImage * POSITIVE_SHARE * 14 ** 2 * (/conv5_mask|logits/.test(name) ? 4 : 1);
  if (name.includes('keypoint_')) return roisPerImage * POSITIVE_SHARE * 14 ** 2 * (name.includes('lowres') ? 20 : 1);
  return roisPerImage * (/box_head\.\d+\.0\./.test(name) ? 7 ** 2 : 1); // convolutions in the box head of version 2
}
