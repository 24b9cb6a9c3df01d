import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { isFloat, type KernelCall, type OrtKernel, sizeOf, WORTH_A_CALL } from './kernel.ts';
import { copyRun } from './move.ts';
import { sumInto } from './reduce.ts';

/** For each of `to` places the one of `from` it is taken from; tfjs' rule for each of its three modes. */
export function nearest(from: number, to: number, alignCorners: boolean, halfPixelCenters: boolean): Int32Array {
  const corner = alignCorners && to > 1 ? 1 : 0;
  const scale = (from - corner) / (to - corner);
  return Int32Array.from({ length: to }, (_, i) => {
    const place = scale * (halfPixelCenters ? i + 0.5 : i);
    const whole = alignCorners ? Math.round(place) : Math.floor(place);
    return Math.max(0, Math.min(from - 1, whole));
  });
}

function resizeNearest({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['images']!;
  if (!isFloat(x) || sizeOf(x.shape) === 0) return undefined;
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [newH, newW] = attrs['size'] as [number, number];
  const rows = nearest(h, newH, Boolean(attrs['alignCorners']), Boolean(attrs['halfPixelCenters']));
  const columns = nearest(w, newW, Boolean(attrs['alignCorners']), Boolean(attrs['halfPixelCenters']));
  const y = backend.float32([n, newH, newW, c]);
  const from = backend.floats(x);
  const to = backend.floats(y);
  const rowSize = newW * c;
  let target = 0;
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < newH; row++, target += rowSize) {
      if (row > 0 && rows[row] === rows[row - 1]) {
        to.copyWithin(target, target - rowSize, target);
        continue;
      }
      const source = (image * h + rows[row]!) * w * c;
      for (let column = 0; column < newW; column++)
        copyRun(from, source + columns[column]! * c, c, to, target + column * c);
    }
  }
  return y;
}

/** The gradient of {@link resizeNearest}: each new pixel's goes to the pixel it was taken from. */
function resizeNearestGrad({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const images = inputs['images']!;
  const dy = inputs['dy']!;
  if (!isFloat(dy) || sizeOf(dy.shape) === 0 || attrs['halfPixelCenters'] || attrs['alignCorners']) return undefined;
  const [n, h, w, c] = images.shape as [number, number, number, number];
  const [, newH, newW] = dy.shape as [number, number, number, number];
  const dx = backend.float32(images.shape);
  if (newH % h === 0 && newW % w === 0 && sizeOf(dy.shape) >= WORTH_A_CALL) {
    sumOfCells(backend, dy, dx);
    return dx;
  }
  const rows = nearest(h, newH, false, false);
  const columns = nearest(w, newW, false, false);
  const from = backend.floats(dy);
  const to = backend.floats(dx).fill(0);
  let source = 0;
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < newH; row++) {
      for (let column = 0; column < newW; column++, source += c) {
        const target = ((image * h + rows[row]!) * w + columns[column]!) * c;
        for (let i = 0; i < c; i++) to[target + i]! += from[source + i]!;
      }
    }
  }
  return dx;
}

/** Where every pixel became a cell of pixels, all cells alike: sums first down the cells, then across them. */
function sumOfCells(backend: OrtBackend, dy: TensorInfo, dx: TensorInfo): void {
  const [n, h, w, c] = dx.shape as [number, number, number, number];
  const [, newH, newW] = dy.shape as [number, number, number, number];
  const from = backend.floats(dy);
  backend.scratch(n * h * newW * c, (rows) => {
    const down = nativeFloats(from, [n * h, newH / h, newW * c]);
    sumInto(backend, down, [1], nativeFloats(rows, [n * h, newW * c]));
    const across = nativeFloats(rows, [n * h * w, newW / w, c]);
    sumInto(backend, across, [1], nativeFloats(backend.floats(dx), [n * h * w, c]));
  });
}

export const resize: readonly OrtKernel[] = [
  { name: 'ResizeNearestNeighbor', run: resizeNearest },
  { name: 'ResizeNearestNeighborGrad', run: resizeNearestGrad },
];
