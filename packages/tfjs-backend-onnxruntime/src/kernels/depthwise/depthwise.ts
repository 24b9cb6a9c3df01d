/**
 * Depthwise convolution, every channel by itself, and both its gradients, by kernels of our own: onnxruntime has no
 * gradients, and for its convolution the maps would have to be turned around, which costs more than so little arithmetic.
 *
 * Maps are laid strip by strip in the kernels' memory, zeros around them, so that no window hangs over an edge. With a
 * channel multiplier of m the channels of `x` are repeated m times; the filter, `[kh, kw, C, m]`, is in that order already.
 */
import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../../backend.ts';
import { fused } from '../activation.ts';
import { mapsOf } from '../convolution/conv-info.ts';
import { isFloat, type KernelCall, type OrtKernel, sizeOf } from '../kernel.ts';
import type { Maps } from '../layout.ts';
import { sweepBack, sweepFilter, sweepForward } from './depthwise-sweep.ts';

type ConvInfo = backend_util.Conv2DInfo;
type Shape4D = [number, number, number, number];

/** A convolution this file covers: NHWC, nothing empty. Otherwise undefined. */
function describe(
  xShape: readonly number[],
  filterShape: readonly number[],
  attrs: KernelCall['attrs'],
): ConvInfo | undefined {
  if ((attrs['dataFormat'] ?? 'NHWC') !== 'NHWC') return undefined;
  const info = backend_util.computeConv2DInfo(
    xShape as Shape4D,
    filterShape as Shape4D,
    attrs['strides'] as number | [number, number],
    (attrs['dilations'] as number | [number, number] | undefined) ?? 1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
    true,
  );
  return sizeOf(info.inShape) * sizeOf(info.outShape) * sizeOf(filterShape) === 0 ? undefined : info;
}

function depthwiseConv2D({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const filter = inputs['filter']!;
  if (!isFloat(x) || !isFloat(filter)) return undefined;
  const info = describe(x.shape, filter.shape, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  withRepeated(backend, mapsOf(backend.floats(x), info.inShape), info.outChannels, (maps) => {
    sweepForward(info, maps, backend.floats(filter), mapsOf(backend.floats(y), info.outShape));
  });
  return y;
}

function backpropInput({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const dy = inputs['dy']!;
  const filter = inputs['filter']!;
  if (!isFloat(dy) || !isFloat(filter)) return undefined;
  const info = describe(attrs['inputShape'] as number[], filter.shape, attrs);
  if (!info) return undefined;
  const dx = backend.float32(info.inShape);
  const dxMaps = mapsOf(backend.floats(dx), info.inShape);
  const gradient = (target: Maps): void =>
    sweepBack(info, mapsOf(backend.floats(dy), info.outShape), backend.floats(filter), target);
  if (info.outChannels === info.inChannels) gradient(dxMaps);
  else {
    backend.scratch((dxMaps.data.length / info.inChannels) * info.outChannels, (data) => {
      gradient({ ...dxMaps, data, c: info.outChannels });
      sumRuns(data, dxMaps.data);
    });
  }
  return dx;
}

function backpropFilter({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const dy = inputs['dy']!;
  const filterShape = attrs['filterShape'] as number[];
  if (!isFloat(x) || !isFloat(dy)) return undefined;
  const info = describe(x.shape, filterShape, attrs);
  if (!info) return undefined;
  const sums = new Float64Array(sizeOf(filterShape));
  withRepeated(backend, mapsOf(backend.floats(x), info.inShape), info.outChannels, (maps) => {
    sweepFilter(info, maps, mapsOf(backend.floats(dy), info.outShape), sums);
  });
  const dw = backend.float32(filterShape);
  backend.floats(dw).set(sums);
  return dw;
}

/** Hands on maps in which every channel stands as often as it takes to have `channels` of them. */
function withRepeated(backend: OrtBackend, x: Maps, channels: number, work: (maps: Maps) => void): void {
  const times = channels / x.c;
  if (times === 1) {
    work(x);
    return;
  }
  backend.scratch(x.data.length * times, (data) => {
    let at = 0;
    for (const value of x.data) for (let i = 0; i < times; i++) data[at++] = value;
    work({ ...x, data, c: channels });
  });
}

/** Adds up neighbours, so many that `target` has one number for each run of them. */
function sumRuns(values: Float32Array, target: Float32Array): void {
  const length = values.length / target.length;
  let at = 0;
  for (let i = 0; i < target.length; i++) {
    let sum = 0;
    for (const end = at + length; at < end; at++) sum += values[at]!;
    target[i] = sum;
  }
}

export const depthwise: readonly OrtKernel[] = [
  { name: 'DepthwiseConv2dNative', run: depthwiseConv2D },
  fused('FusedDepthwiseConv2D', depthwiseConv2D),
  { name: 'DepthwiseConv2dNativeBackpropInput', run: backpropInput },
  { name: 'DepthwiseConv2dNativeBackpropFilter', run: backpropFilter },
];
