import type { Parameter, StepSize } from '@rcnn/core';

type ParameterFacts = Pick<Parameter, 'shape' | 'size' | 'trainable'>;

/** What the layer of a weight makes of one image while it learns. */
export interface LayerOutputs {
  /** Places at which it computes, on all maps together. */
  readonly positions: number;
  /** Default its last axis: kernels are `[height, width, in, out]`. */
  readonly channels?: number | undefined;
  /** Bytes that a process holds for one number of them. Default {@link BYTES_PER_OUTPUT}`.map`. */
  readonly bytes?: number | undefined;
}

/**
 * Bytes of one float, times what a process was measured to hold for it (`npm run bench -- memory`): an output of a map is
 * there as its norm keeps it and once more after the activation, and the gradients at hand are few beside all outputs;
 * the stem's are the largest maps, padded and pooled, and their gradients come together; of the regions allowed few have
 * a mask.
 */
export const BYTES_PER_OUTPUT: Readonly<Record<'map' | 'stem' | 'region', number>> = {
  map: 4 * 2.4,
  stem: 4 * 16,
  region: 4 * 2,
};

const BYTES = {
  process: 560 * 2 ** 20,
  /** Of a weight, which is copied while it is saved. */
  perWeight: 4 * 2.6,
};

/**
 * Peak of the resident memory of a training in bytes: the process, the weights with what is kept beside them, and the
 * outputs of all layers above the first one that learns.
 * @param outputsOf what the layer of a weight makes, by the weight's name
 */
export function bytesOfLayers(
  parameters: ReadonlyMap<string, ParameterFacts>,
  { batchSize, slots }: StepSize,
  outputsOf: (name: string, shape: readonly number[]) => LayerOutputs,
): number {
  let bytes = BYTES.process;
  let learns = false; // what comes before the first layer that learns is not kept
  for (const [name, { shape, trainable, size: count }] of parameters) {
    bytes += BYTES.perWeight * count * (trainable ? 2 + slots : 1);
    learns ||= trainable;
    if (!learns || shape.length < 2 || !name.endsWith('weight')) continue;
    const { positions, channels = shape.at(-1)!, bytes: perOutput = BYTES_PER_OUTPUT.map } = outputsOf(name, shape);
    bytes += perOutput * batchSize * positions * channels;
  }
  return bytes;
}

/**
 * The same for a layer of a ResNet with a pyramid on it, by torchvision's names; undefined for what is above them.
 * @param strides of the pyramid's levels, finest first
 */
export function outputsOfPyramid(
  name: string,
  [height, width]: StepSize['imageSize'],
  strides: readonly number[],
): LayerOutputs | undefined {
  const at = (stride: number): LayerOutputs => ({ positions: (height * width) / stride ** 2 });
  const stage = /body\.layer(\d)/.exec(name)?.[1];
  if (stage !== undefined) return at(2 ** (Number(stage) + 1));
  if (name.includes('.body.')) return { ...at(2), bytes: BYTES_PER_OUTPUT.stem };
  const level = /fpn\.(?:inner|layer)_blocks\.(\d)/.exec(name)?.[1];
  if (level !== undefined) return at(strides[Number(level)]!);
  const extra = /fpn\.extra_blocks\.p([67])/.exec(name)?.[1];
  return extra === undefined ? undefined : at(strides.at(Number(extra) - 8)!);
}
