import { backend_util } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../../backend.ts';
import { copyGrid, type Grid } from '../grid.ts';
import { type KernelCall, sizeOf } from '../kernel.ts';
import type { Maps } from '../layout.ts';
import type { Window } from './taps.ts';

export type ConvInfo = backend_util.Conv2DInfo;
type Shape4D = [number, number, number, number];

/** A convolution this file covers: NHWC, channels that the filter's divide, nothing empty. Otherwise undefined. */
export function describe(
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
    false,
    'channelsLast',
  );
  const groups = groupsOf(info, filterShape);
  const apart = groups % 1 !== 0 || info.outChannels % groups !== 0;
  const empty = sizeOf(info.inShape) * sizeOf(info.outShape) * sizeOf(filterShape) === 0;
  return apart || empty ? undefined : info;
}

/** Groups of channels that do not see each other: how often the filter's channels go into those of the map. */
export const groupsOf = ({ inChannels }: ConvInfo, filterShape: readonly number[]): number =>
  inChannels / filterShape[2]!;

export function mapsOf(data: Float32Array, [n, h, w, c]: readonly number[]): Maps {
  return { data, n: n!, h: h!, w: w!, c: c! };
}

/** One tap, where it stands. */
export const STILL: Window = { pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1] };

/** Hands on the pixels that a 1x1 convolution with a stride looks at. */
export function strided(backend: OrtBackend, x: Maps, info: ConvInfo, work: (source: Maps) => void): void {
  if (info.strideHeight === 1 && info.strideWidth === 1) {
    work(x);
    return;
  }
  const { outHeight: h, outWidth: w } = info;
  backend.scratch(x.n * h * w * x.c, (data) => {
    const source: Maps = { ...x, data, h, w };
    copyGrid(gridOf(x, info.strideHeight, info.strideWidth), gridOf(source), x.n, h, w, x.c);
    work(source);
  });
}

/** Every `stepH`-th row and `stepW`-th column of some maps, from `row`, `column` on. */
export function gridOf({ data, h, w, c }: Maps, stepH = 1, stepW = 1, row = 0, column = 0): Grid {
  return { data, start: (row * w + column) * c, image: h * w * c, row: stepH * w * c, column: stepW * c };
}
