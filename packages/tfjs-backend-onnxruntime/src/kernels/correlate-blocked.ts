/** Correlation in onnxruntime's blocked layout, its fastest. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { FLOAT, NCHWC } from '../onnx.ts';
import type { NamedGraph } from '../sessions.ts';
import { singleNode } from './kernel.ts';
import { blockSize, fromBlocks, type Maps, toBlocks, toPlanes } from './layout.ts';
import { type Taps, tapsKey, type Window, windowAttributes, windowKey } from './taps.ts';
import { blockedWeights, fewWeights } from './weights.ts';

/** Channels of `x` are a multiple of 4, and at least a block. */
export function correlateBlocked(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  taps: Taps,
  window: Window,
  y: Maps,
): void {
  const block = blockSize(backend);
  const inChannels = roundUp(x.c, block);
  const outChannels = roundUp(y.c, block);
  const size = inChannels * outChannels * taps.offsets.length;
  const weights = backend.derived(filter, `blocked ${tapsKey(taps)}`, size, (target) =>
    blockedWeights(backend.floats(filter), taps, x.c, y.c, block, target),
  );
  const weightDims = [outChannels, inChannels, taps.rows, taps.columns];
  eachStrip(backend, x, y, taps, window, (from, to, seen) => {
    backend.scratch(from.n * from.h * from.w * inChannels, (xBlocks) => {
      toBlocks(backend, from, xBlocks, inChannels);
      backend.scratch(to.n * to.h * to.w * outChannels, (yBlocks) => {
        backend.run(
          convGraph(taps, seen),
          [nativeFloats(xBlocks, [from.n, inChannels, from.h, from.w]), nativeFloats(weights, weightDims)],
          [nativeFloats(yBlocks, [to.n, outChannels, to.h, to.w])],
        );
        fromBlocks(backend, yBlocks, outChannels, to);
      });
    });
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
        convGraph(taps, window),
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

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

function convGraph(taps: Taps, window: Window): NamedGraph {
  const attributes = windowAttributes(taps, window);
  const key = `blocked Conv ${windowKey(taps, window)}`;
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
