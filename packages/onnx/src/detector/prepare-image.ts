import type { InputSpec } from '@rcnn/core';
import { ELEMENT } from '../format/model.ts';
import type { OnnxWriter } from '../graph/writer.ts';

/** An image as the network sees it. */
export interface PreparedImage {
  /** `[1, 3, height, width]`, padded. */
  readonly batch: string;
  /** int64 `[2]`: height and width at the door, after resizing, and with the padding. */
  readonly originalSize: string;
  readonly resizedSize: string;
  readonly paddedSize: string;
}

type TorchvisionInput = InputSpec & { readonly resize: { readonly rule: 'torchvision' } };

/**
 * Normalizes, resizes and pads an image `[3, H, W]`, RGB in [0, 1], exactly as `ImageTransform` does: the size is
 * computed in doubles, the place of each sample in float32. ONNX's own `Resize` places them in another way, which moves
 * far samples by up to 1e-4 of a pixel.
 */
export function prepareImage(graph: OnnxWriter, image: string, input: TorchvisionInput): PreparedImage {
  graph.scope('prepare');
  const originalSize = graph.node('Shape', [image], { start: 1, end: 3 });
  const resizedSize = resizedSizeOf(graph, originalSize, input.resize);
  const divisor = graph.int64([input.sizeDivisor]);
  const upTo = graph.node('Add', [resizedSize, graph.int64([input.sizeDivisor - 1])]);
  const paddedSize = graph.node('Mul', [graph.node('Div', [upTo, divisor]), divisor]);

  const inOrder =
    input.channelOrder === 'rgb' ? image : graph.node('Gather', [image, graph.int64([2, 1, 0])], { axis: 0 });
  const rows = resizeAxis(graph, inOrder, { axis: 1, originalSize, resizedSize });
  const resized = resizeAxis(graph, rows, { axis: 2, originalSize, resizedSize });
  const gain = graph.float32(
    input.std.map((std) => 1 / std),
    [3, 1, 1],
  );
  const shift = graph.float32(
    input.mean.map((mean, c) => -mean / input.std[c]!),
    [3, 1, 1],
  );
  const normalized = graph.node('Add', [graph.node('Mul', [resized, gain]), shift]);
  const margin = graph.node('Sub', [paddedSize, resizedSize]);
  const pads = graph.node('Concat', [graph.int64([0, 0, 0, 0]), margin], { axis: 0 });
  const padded = graph.node('Pad', [normalized, pads]);
  const batch = graph.node('Unsqueeze', [padded, graph.int64([0])]);
  return { batch, originalSize, resizedSize, paddedSize };
}

/** `floor(side * s)`, `s = min(minSize / short, maxSize / long)`; at least 1. */
function resizedSizeOf(
  graph: OnnxWriter,
  originalSize: string,
  { minSize, maxSize }: TorchvisionInput['resize'],
): string {
  const sides = graph.node('Cast', [originalSize], { to: ELEMENT.double });
  const short = graph.node('ReduceMin', [sides], { keepdims: 1 });
  const long = graph.node('ReduceMax', [sides], { keepdims: 1 });
  const scale = graph.node('Min', [
    graph.node('Div', [graph.double([minSize]), short]),
    graph.node('Div', [graph.double([maxSize]), long]),
  ]);
  const size = graph.node('Floor', [graph.node('Mul', [sides, scale])]);
  return graph.node('Cast', [graph.node('Max', [size, graph.double([1])])], { to: ELEMENT.int64 });
}

interface ResizedAxis {
  readonly axis: 1 | 2;
  readonly originalSize: string;
  readonly resizedSize: string;
}

/** Bilinear along one axis, half-pixel centers, no antialias. */
function resizeAxis(graph: OnnxWriter, image: string, { axis, originalSize, resizedSize }: ResizedAxis): string {
  const side = graph.int64([axis - 1]);
  const [before, after] = [originalSize, resizedSize].map((size) => graph.node('Gather', [size, side])) as [
    string,
    string,
  ];
  const [oldSide, newSide] = [before, after].map((size) => graph.node('Cast', [size], { to: ELEMENT.float32 })) as [
    string,
    string,
  ];
  const step = graph.node('Div', [oldSide, newSide]);
  const cells = range(graph, after, { type: 'float32' });
  const half = graph.float32([0.5]);
  const center = graph.node('Mul', [step, graph.node('Add', [cells, half])]);
  const source = graph.node('Max', [graph.node('Sub', [center, half]), graph.float32([0])]);
  const last = graph.node('Sub', [oldSide, graph.float32([1])]);
  const low = graph.node('Min', [graph.node('Floor', [source]), last]);
  const high = graph.node('Min', [graph.node('Add', [low, graph.float32([1])]), last]);
  const weight = graph.node('Sub', [source, low]);
  const along = axis === 1 ? graph.node('Unsqueeze', [weight, graph.int64([1])]) : weight; // [new, 1] or [new]
  const take = (index: string): string =>
    graph.node('Gather', [image, graph.node('Cast', [index], { to: ELEMENT.int64 })], { axis });
  const first = graph.node('Mul', [take(low), graph.node('Sub', [graph.float32([1]), along])]);
  return graph.node('Add', [first, graph.node('Mul', [take(high), along])]);
}

/** 0, 1, … below `count` `[1]`. */
export function range(graph: OnnxWriter, count: string, { type }: { type: 'float32' | 'int64' }): string {
  const scalar = graph.node('Squeeze', [count, graph.int64([0])]);
  const whole = graph.node('Range', [graph.int64([0], []), scalar, graph.int64([1], [])]);
  return type === 'int64' ? whole : graph.node('Cast', [whole], { to: ELEMENT.float32 });
}
