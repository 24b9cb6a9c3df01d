/** Correlation without the blocked layout: NCHW, turned around inside the graph. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import type { NativeTensor } from '../../native.ts';
import { FLOAT } from '../../onnx.ts';
import type { NamedGraph } from '../../sessions.ts';
import type { Maps } from '../layout.ts';
import { type Taps, tapsKey, type Window, windowAttributes, windowKey } from './taps.ts';
import { orderWeights } from './weights.ts';

/** For processors without the blocked layout and channels that do not fit it. */
export function correlatePlain(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  taps: Taps,
  window: Window,
  y: Maps,
): void {
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
