/** Convolution as networks mean it (correlation), of NHWC maps with any part of an HWIO filter. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OrtBackend } from '../../backend.ts';
import { blockSize, type Maps } from '../layout.ts';
import { gemm } from '../mat-mul.ts';
import { correlateBlocked, correlateFew } from './correlate-blocked.ts';
import { correlateGrouped } from './correlate-grouped.ts';
import { correlatePlain } from './correlate-plain.ts';
import type { Taps, Window } from './taps.ts';
import { prefersWinograd } from './winograd/choice.ts';
import { correlateWinograd, isWinograd } from './winograd/correlate.ts';

/** Writes the correlation of `x` with the taps of `filter` to `y`, which has the right size. */
export function correlate(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  if (taps.groups > 1) {
    correlateGrouped(backend, x, filter, taps, window, y);
  } else if (isProduct(taps, window)) {
    const single = backend.floats(filter).subarray(taps.offsets[0]!, taps.offsets[0]! + x.c * y.c);
    const matrix = taps.transposed
      ? { data: single, rows: y.c, columns: x.c, transpose: true }
      : { data: single, rows: x.c, columns: y.c };
    gemm(backend, { data: x.data, rows: x.n * x.h * x.w, columns: x.c }, matrix, y.data);
  } else if (
    isWinograd(x, taps, window, y) &&
    prefersWinograd(backend, 'map', { ...y, inChannels: x.c, outChannels: y.c })
  ) {
    correlateWinograd(backend, x, filter, taps, window, y);
  } else if (x.c < blockSize(backend)) {
    correlateFew(backend, x, filter, taps, window, y);
  } else if (blockSize(backend) > 0 && x.c % 4 === 0) {
    correlateBlocked(backend, x, filter, taps, window, y);
  } else {
    correlatePlain(backend, x, filter, taps, window, y);
  }
}

/** One tap that moves nothing: a product of matrices. */
function isProduct({ offsets }: Taps, { pads, strides }: Window): boolean {
  return offsets.length === 1 && pads.every((pad) => pad === 0) && strides.every((stride) => stride === 1);
}
