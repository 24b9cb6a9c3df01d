/** Correlation in onnxruntime's blocked layout, its fastest. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import type { NativeTensor } from '../../native.ts';
import { FLOAT, NCHWC } from '../../onnx.ts';
import type { NamedGraph } from '../../sessions.ts';
import { singleNode, sizeOf } from '../kernel.ts';
import { blockSize, fromBlocks, type Maps, toBlocks, toPlanes } from '../layout.ts';
import { type Taps, tapsKey, type Window, windowAttributes, windowKey } from './taps.ts';
import { type Blocks, orderWeights } from './weights.ts';

/** A correlation whose input channels are a multiple of 4, and at least a block. */
export function correlateBlocked(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  taps: Taps,
  window: Window,
  y: Maps,
): void {
  const block = blockSize(backend);
  const weights = weightsOf(backend, filter, taps, [x.c, y.c], { in: block, out: block });
  convolveStrips(backend, x, weights, taps, window, y);
}

/** @param weights in order, `[O, I / group, rows, columns]`, whose groups are whole blocks if there is more than one */
export function convolveStrips(
  backend: OrtBackend,
  x: Maps,
  weights: NativeTensor,
  taps: Taps,
  window: Window,
  y: Maps,
  group = 1,
): void {
  eachStrip(backend, x, y, taps, window, (from, to, seen) => {
    convolve(backend, convGraph(taps, seen, group), from, weights, to, toBlocks, group);
  });
}

/**
 * For fewer channels than a block, such as those of an image: onnxruntime then wants the input as NCHW, and still
 * writes blocks (two to three times as fast as gathering the windows for a product).
 */
export function correlateFew(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  taps: Taps,
  window: Window,
  y: Maps,
): void {
  const weights = weightsOf(backend, filter, taps, [x.c, y.c], { in: 1, out: blockSize(backend) });
  convolve(backend, convGraph(taps, window), x, weights, y, toPlanes);
}

/** The weights in order, `[out, in, rows, columns]` with the channels that fill the last blocks. */
function weightsOf(
  backend: OrtBackend,
  filter: TensorInfo,
  taps: Taps,
  [inChannels, outChannels]: readonly [number, number],
  blocks: Blocks,
): NativeTensor {
  const dims = [roundUp(outChannels, blocks.out), roundUp(inChannels, blocks.in), taps.rows, taps.columns];
  const data = backend.derived(filter, `blocks of ${blocks.in} ${tapsKey(taps)}`, sizeOf(dims), (target) =>
    orderWeights(backend.floats(filter), taps, inChannels, outChannels, blocks, target),
  );
  return nativeFloats(data, dims);
}

/** Lays the input out, convolves, and writes the result back as NHWC. */
function convolve(
  backend: OrtBackend,
  graph: NamedGraph,
  x: Maps,
  weights: NativeTensor,
  y: Maps,
  lay: (backend: OrtBackend, maps: Maps, target: Float32Array, channels: number) => void,
  group = 1,
): void {
  const [outChannels, ofGroup] = weights.dims as [number, number];
  const inChannels = group * ofGroup;
  backend.scratch(x.n * x.h * x.w * inChannels, (laid) => {
    lay(backend, x, laid, inChannels);
    backend.scratch(y.n * y.h * y.w * outChannels, (blocks) => {
      const [from, to] = [
        [x.n, inChannels, x.h, x.w],
        [y.n, outChannels, y.h, y.w],
      ] as const;
      backend.run(graph, [nativeFloats(laid, from), weights], [nativeFloats(blocks, to)]);
      fromBlocks(backend, blocks, outChannels, y);
    });
  });
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

function convGraph(taps: Taps, window: Window, group = 1): NamedGraph {
  const attributes = windowAttributes(taps, window, group);
  const key = `blocked Conv ${windowKey(taps, window, group)}`;
  return singleNode(key, { op: 'Conv', domain: NCHWC, attributes }, [FLOAT, FLOAT], FLOAT, true);
}

/** Numbers of a strip and its result: in blocks, they stay in the cache between being written and being read. */
const STRIP = 5 * 2 ** 18;

/**
 * Large maps strip by strip, a few rows of the result at a time, with the rows of `x` under them; others whole. A strip
 * has the zeros above and below the map as rows of its own, so that all strips have one window. The bits are the same;
 * maps of 200 x 304 pixels take a tenth less time, and 5 MiB in blocks instead of up to 125.
 */
function eachStrip(
  backend: OrtBackend,
  x: Maps,
  y: Maps,
  taps: Taps,
  window: Window,
  work: (from: Maps, to: Maps, window: Window) => void,
): void {
  const [top, left, , right] = window.pads;
  const [stride] = window.strides;
  if (x.data.length + y.data.length <= 2 * STRIP) {
    work(x, y, window);
    return;
  }
  const seen: Window = { ...window, pads: [0, left, 0, right] };
  const reach = (taps.rows - 1) * window.dilations[0] + 1;
  const step = Math.max(1, Math.round(STRIP / (stride * x.w * x.c + y.w * y.c)));
  for (let image = 0; image < y.n; image++) {
    for (let row = 0; row < y.h; row += step) {
      const rows = Math.min(step, y.h - row);
      const to = rowsOf(y, image, row, rows);
      withRows(backend, x, image, row * stride - top, (rows - 1) * stride + reach, (from) => work(from, to, seen));
    }
  }
}

const rowsOf = ({ data, h, w, c }: Maps, image: number, row: number, rows: number): Maps => {
  const start = (image * h + row) * w * c;
  return { data: data.subarray(start, start + rows * w * c), n: 1, h: rows, w, c };
};

/** Hands on `count` rows of an image from `first` on; those outside of it are zeros. */
function withRows(
  backend: OrtBackend,
  x: Maps,
  image: number,
  first: number,
  count: number,
  work: (rows: Maps) => void,
): void {
  const begin = Math.max(0, first);
  const end = Math.min(x.h, first + count);
  if (end - begin === count) {
    work(rowsOf(x, image, first, count));
    return;
  }
  const row = x.w * x.c;
  backend.scratch(count * row, (data) => {
    data.fill(0, 0, (begin - first) * row);
    data.set(rowsOf(x, image, begin, end - begin).data, (begin - first) * row);
    data.fill(0, (end - first) * row);
    work({ data, n: 1, h: count, w: x.w, c: x.c });
  });
}
