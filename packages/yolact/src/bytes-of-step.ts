import type { Parameter, StepSize } from '@rcnn/core';
import { bytesOfLayers, type LayerOutputs, outputsOfPyramid } from '@rcnn/detector';

/** What a step holds beside the outputs of layers. */
interface YOLACTFacts {
  /** Of the pyramid's levels, finest first. */
  readonly strides: readonly number[];
  /** Positives of an image whose masks are learnt, at most. */
  readonly masksToTrain: number;
}

/** Of each cell of a mask that is learnt: its logit, its place in the crop, its truth, its loss and its gradient. */
const BYTES_PER_CELL = 4 * 5;

/** Peak of the resident memory of a training in bytes, from a model's parameters by their names. */
export function bytesOfStep(
  parameters: ReadonlyMap<string, Parameter>,
  size: StepSize,
  { strides, masksToTrain }: YOLACTFacts,
): number {
  const [height, width] = size.imageSize;
  const at = (stride: number): number => (height * width) / stride ** 2;
  const [finest] = strides as [number];
  const outputsAbove = (name: string): LayerOutputs => {
    if (/proto_net\.(?:8|10)\./.test(name)) return { positions: at(finest / 2) };
    if (/^(?:proto_net|semantic_seg_conv)\./.test(name)) return { positions: at(finest) };
    if (name.startsWith('maskiou_net.')) return { positions: (masksToTrain * at(finest / 2)) / 4 ** (ofRating(name) + 1) }; // biome-ignore format: one line
    return { positions: strides.reduce((sum, stride) => sum + at(stride), 0) };
  };
  const layers = bytesOfLayers(
    parameters,
    size,
    (name) => outputsOfPyramid(name, size.imageSize, strides) ?? outputsAbove(name),
  );
  return layers + BYTES_PER_CELL * size.batchSize * masksToTrain * at(finest / 2);
}

/** Which convolution of the network that rates masks a weight belongs to, from 0; each halves the sides. */
function ofRating(name: string): number {
  return Number(/maskiou_net\.maskiou_net\.(\d+)\./.exec(name)?.[1] ?? 0) / 2;
}
