/** Convolution as networks mean it (correlation), of NHWC maps with any part of an HWIO filter. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { FLOAT, NCHWC } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { singleNode } from './kernel.ts';
import { blockSize, fromBlocks, type Maps, toBlocks, toPlanes } from './layout.ts';
import { gemm } from './mat-mul.ts';

/**
 * Which matrices of a filter to use, and how. `offsets` tells for each tap, row by row, where its
 * `[I, O]` matrix begins in the filter; `transposed` swaps the roles of I and O, as going backwards does.
 */
export interface Taps {
  readonly rows: number;
  readonly columns: number;
  readonly offsets: readonly number[];
  readonly transposed: boolean;
}

export interface Window {
  /** Zeros around the map: top, left, bottom, right. None is negative. */
  readonly pads: readonly [number, number, number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

/** Writes the correlation of `x` with the taps of `filter` to `y`, which has the right size. */
export function correlate(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  if (isProduct(taps, window)) {
    const single = backend.floats(filter).subarray(taps.offsets[0]!, taps.offsets[0]! + x.c * y.c);
    const matrix = taps.transposed
      ? { data: single, rows: y.c, columns: x.c, transpose: true }
      : { data: single, rows: x.c, columns: y.c };
    gemm(backend, { data: x.data, rows: x.n * x.h * x.w, columns: x.c }, matrix, y.data);
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

function correlateBlocked(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  const block = blockSize(backend);
  const inChannels = roundUp(x.c, block);
  const outChannels = roundUp(y.c, block);
  const size = inChannels * outChannels * taps.offsets.length;
  const weights = backend.derived(filter, `blocked ${tapsKey(taps)}`, size, (target) =>
    blockedWeights(backend.floats(filter), taps, x.c, y.c, block, target),
  );
  const weightDims = [outChannels, inChannels, taps.rows, taps.columns];
  backend.scratch(x.n * x.h * x.w * inChannels, (xBlocks) => {
    toBlocks(backend, x, xBlocks, inChannels);
    backend.scratch(y.n * y.h * y.w * outChannels, (yBlocks) => {
      backend.run(
        convGraph(taps, window, NCHWC),
        [nativeFloats(xBlocks, [x.n, inChannels, x.h, x.w]), nativeFloats(weights, weightDims)],
        [nativeFloats(yBlocks, [y.n, outChannels, y.h, y.w])],
      );
      fromBlocks(backend, yBlocks, outChannels, y);
    });
  });
}

/**
 * For fewer channels than a block, such as those of an image: onnxruntime then wants the input as NCHW, and still
 * writes blocks (two to three times as fast as gathering the windows for a product).
 */
function correlateFew(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  const block = blockSize(backend);
  const outChannels = roundUp(y.c, block);
  const size = x.c * outChannels * taps.offsets.length;
  const weights = backend.derived(filter, `few ${tapsKey(taps)}`, size, (target) =>
    fewWeights(backend.floats(filter), taps, x.c, y.c, block, target),
  );
  backend.scratch(x.n * x.h * x.w * x.c, (planes) => {
    toPlanes(backend, x, planes);
    backend.scratch(y.n * y.h * y.w * outChannels, (yBlocks) => {
      backend.run(
        convGraph(taps, window, NCHWC),
        [
          nativeFloats(planes, [x.n, x.c, x.h, x.w]),
          nativeFloats(weights, [outChannels, x.c, taps.rows, taps.columns]),
        ],
        [nativeFloats(yBlocks, [y.n, outChannels, y.h, y.w])],
      );
      fromBlocks(backend, yBlocks, outChannels, y);
    });
  });
}

/** For processors without the blocked layout and channels that do not fit it: NCHW, turned around inside the graph. */
function correlatePlain(backend: OrtBackend, x: Maps, filter: TensorInfo, taps: Taps, window: Window, y: Maps): void {
  const weights = backend.derived(filter, `plain ${tapsKey(taps)}`, x.c * y.c * taps.offsets.length, (target) =>
    plainWeights(backend.floats(filter), taps, x.c, y.c, target),
  );
  backend.run(
    plainGraph(taps, window),
    [nativeFloats(x.data, [x.n, x.h, x.w, x.c]), nativeFloats(weights, [y.c, x.c, taps.rows, taps.columns])],
    [nativeFloats(y.data, [y.n, y.h, y.w, y.c])],
  );
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

const tapsKey = ({ rows, columns, offsets, transposed }: Taps): string =>
  `${rows}x${columns} ${transposed ? 'back' : 'forth'} ${offsets.join()}`;

function windowAttributes({ rows, columns }: Taps, { pads, strides, dilations }: Window) {
  return { kernel_shape: [rows, columns], pads: [...pads], strides: [...strides], dilations: [...dilations], group: 1 };
}

const windowKey = ({ rows, columns }: Taps, { pads, strides, dilations }: Window): string =>
  `${rows}x${columns} pads ${pads.join()} strides ${strides.join()} dilations ${dilations.join()}`;

function convGraph(taps: Taps, window: Window, domain: string): NamedGraph {
  const attributes = windowAttributes(taps, window);
  return singleNode(`Conv ${windowKey(taps, window)}`, { op: 'Conv', domain, attributes }, [FLOAT, FLOAT], FLOAT, true);
}

function plainGraph(taps: Taps, window: Window): NamedGraph {
  return {
    key: `plain Conv ${windowKey(taps, window)}`,
    heavy: true,
    graph: () => ({
      nodes: [
        { op: 'Transpose', inputs: ['i0'], outputs: ['x'], attributes: { perm: [0, 3, 1, 2] } },
        { op: 'Conv', inputs: ['x', 'i1'], outputs: ['y'], attributes: windowAttributes(taps, window) },
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

/** Weights as `[outBlocks, inBlocks, rows, columns, in within block, out within block]`. */
export function blockedWeights(
  filter: Float32Array,
  { offsets, transposed }: Taps,
  inChannels: number,
  outChannels: number,
  block: number,
  target: Float32Array,
): void {
  const [inStride, outStride] = transposed ? [1, inChannels] : [outChannels, 1];
  if (inChannels % block !== 0 || outChannels % block !== 0) target.fill(0);
  let at = 0;
  for (let outStart = 0; outStart < outChannels; outStart += block) {
    const outs = Math.min(block, outChannels - outStart);
    for (let inStart = 0; inStart < inChannels; inStart += block) {
      const ins = Math.min(block, inChannels - inStart);
      for (const offset of offsets) {
        let row = offset + inStart * inStride + outStart * outStride;
        for (let i = 0; i < ins; i++, row += inStride) {
          const base = at + i * block;
          for (let o = 0; o < outs; o++) target[base + o] = filter[row + o * outStride]!;
        }
        at += block * block;
      }
    }
  }
}

/** Weights as `[outBlocks, in, rows, columns, out within block]`. */
export function fewWeights(
  filter: Float32Array,
  { offsets, transposed }: Taps,
  inChannels: number,
  outChannels: number,
  block: number,
  target: Float32Array,
): void {
  const [inStride, outStride] = transposed ? [1, inChannels] : [outChannels, 1];
  if (outChannels % block !== 0) target.fill(0);
  let at = 0;
  for (let outStart = 0; outStart < outChannels; outStart += block) {
    const outs = Math.min(block, outChannels - outStart);
    for (let i = 0; i < inChannels; i++) {
      for (const offset of offsets) {
        const from = offset + i * inStride + outStart * outStride;
        for (let o = 0; o < outs; o++) target[at + o] = filter[from + o * outStride]!;
        at += block;
      }
    }
  }
}

/** Weights as ONNX has them: `[out, in, rows, columns]`. */
export function plainWeights(
  filter: Float32Array,
  { offsets, transposed }: Taps,
  inChannels: number,
  outChannels: number,
  target: Float32Array,
): void {
  const [inStride, outStride] = transposed ? [1, inChannels] : [outChannels, 1];
  let at = 0;
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < inChannels; i++) {
      for (const offset of offsets) target[at++] = filter[offset + i * inStride + o * outStride]!;
    }
  }
}
