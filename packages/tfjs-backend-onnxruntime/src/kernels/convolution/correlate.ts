/** Convolution as networks mean it (correlation), of NHWC maps with any part of an HWIO filter. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import type { NativeTensor } from '../../native.ts';
import { FLOAT } from '../../onnx.ts';
import type { NamedGraph } from '../../sessions.ts';
import { blockSize, type Maps } from '../layout.ts';
import { gemm } from '../mat-mul.ts';
import { correlateBlocked, correlateFew } from './correlate-blocked.ts';
import { correlateGrouped } from './correlate-grouped.ts';
import { type Taps, tapsKey, type Window, windowAttributes, windowKey } from './taps.ts';
import { orderWeights } from './weights.ts';
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

/** For processors without the blocked layout and channels that do not fit it: NCHW, turned around inside the graph. */
function correlatePlain(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  const weights = backend.derived(filter, `plain ${tapsKey(taps)}`, x.c * y.c * taps.offsets.length, (target) =>
    orderWeights(backend.floats(filter), taps, x.c, y.c, { in: 1, out: 1 }, target),
  );
  convolvePlain(backend, x, nativeFloats(weights, [y.c, x.c, taps.rows, taps.columns]), taps, window, y);
}

/** @param weights `[O, I / group, rows, columns]` */
export function convolvePlain(
  backend: OrtBackend,
  x: Maps,
  weights: NativeTensor,
  taps: Taps,
  window: Window,
  y: Maps,
  group = 1,
): void {
  backend.run(
    plainGraph(taps, window, group),
    [nativeFloats(x.data, [x.n, x.h, x.w, x.c]), weights],
    [nativeFloats(y.data, [y.n, y.h, y.w, y.c])],
  );
}

function plainGraph(taps: Taps, window: Window, group: number): NamedGraph {
  return {
    key: `plain Conv ${windowKey(taps, window, group)}`,
    heavy: true,
    graph: () => ({
      nodes: [
        { op: 'Transpose', inputs: ['i0'], outputs: ['x'], attributes: { perm: [0, 3, 1, 2] } },
        { op: 'Conv', inputs: ['x', 'i1'], outputs: ['y'], attributes: windowAttributes(taps, window, group) },
        { op: 'Transpose', inputs: ['y'], outputs: ['o0'], attributes: { perm: [0, 2, 3, 1] } },
      ],
      inputs: [
        { name: 'i0', type: FLOAT },
        { name: 'i1', type: FLOAT },
      ],
      outputs: [{ name: 'o0', type: FLOAT }],
    }),
  };
}
