import { engine, type TensorInfo } from '@tensorflow/tfjs-core';
import { fused } from '../activation.ts';
import { isFloat, type KernelCall, type OrtKernel } from '../kernel.ts';
import { type ConvInfo, describe, groupsOf, mapsOf, STILL, strided } from './conv-info.ts';
import { correlate } from './correlate.ts';
import { convolveFewPixels, hasFewPixels } from './few-pixels.ts';
import { conv2DBackpropFilter } from './filter-gradient.ts';
import { conv2DBackpropInput } from './input-gradient.ts';
import type { Taps, Window } from './taps.ts';

function allTaps(
  { filterHeight: rows, filterWidth: columns, inChannels, outChannels }: ConvInfo,
  groups: number,
): Taps {
  const offsets = Array.from({ length: rows * columns }, (_, tap) => (tap * inChannels * outChannels) / groups);
  return { rows, columns, offsets, transposed: false, groups };
}

function forwardWindow(info: ConvInfo): Window {
  const end = (out: number, stride: number, kernel: number, size: number, start: number) =>
    Math.max(0, (out - 1) * stride + kernel - size - start);
  const { top, left } = info.padInfo;
  const bottom = end(info.outHeight, info.strideHeight, info.effectiveFilterHeight, info.inHeight, top);
  const right = end(info.outWidth, info.strideWidth, info.effectiveFilterWidth, info.inWidth, left);
  return {
    pads: [top, left, bottom, right],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
  };
}

/** Whether a training records this: in prediction filters stay, are put in order once, and a product has no more to save. */
const isRecorded = (): boolean => {
  const { state } = engine() as unknown as { readonly state: { readonly gradientDepth: number } };
  return state.gradientDepth > 0;
};

function conv2D({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const filter = inputs['filter']!;
  if (!isFloat(x) || !isFloat(filter)) return undefined;
  const info = describe(x.shape, filter.shape, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  const yMaps = mapsOf(backend.floats(y), info.outShape);
  const xMaps = mapsOf(backend.floats(x), info.inShape);
  const window = forwardWindow(info);
  const groups = groupsOf(info, filter.shape);
  const taps = allTaps(info, groups);
  if (groups === 1 && isRecorded() && hasFewPixels(backend, info)) {
    convolveFewPixels(backend, info, xMaps, backend.floats(filter), yMaps.data);
  } else if (info.filterHeight * info.filterWidth === 1 && window.pads.every((pad) => pad === 0)) {
    strided(backend, xMaps, info, (source) => correlate(backend, source, filter, taps, STILL, yMaps));
  } else {
    correlate(backend, xMaps, filter, taps, window, yMaps);
  }
  return y;
}

export const conv: readonly OrtKernel[] = [
  { name: 'Conv2D', run: conv2D },
  fused('FusedConv2D', conv2D),
  { name: 'Conv2DBackpropInput', run: conv2DBackpropInput },
  { name: 'Conv2DBackpropFilter', run: conv2DBackpropFilter },
  // The same under names of their own, which tfjs does not have: whoever finds them knows that this engine takes groups.
  fused('GroupedConv2D', conv2D),
  { name: 'GroupedConv2DBackpropInput', run: conv2DBackpropInput },
  { name: 'GroupedConv2DBackpropFilter', run: conv2DBackpropFilter },
];
