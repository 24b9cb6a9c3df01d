import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { isFloat, type KernelCall, type OrtKernel, sizeOf } from './kernel.ts';

type PoolInfo = backend_util.Conv2DInfo;

function describe(x: TensorInfo, attrs: KernelCall['attrs']): PoolInfo | undefined {
  if (!isFloat(x) || x.shape.length !== 4 || sizeOf(x.shape) === 0) return undefined;
  const info = backend_util.computePool2DInfo(
    x.shape as [number, number, number, number],
    attrs['filterSize'] as number | [number, number],
    attrs['strides'] as number | [number, number],
    1,
    attrs['pad'] as 'same' | 'valid' | number,
    attrs['dimRoundingMode'] as 'floor' | undefined,
  );
  return sizeOf(info.outShape) === 0 ? undefined : info;
}

/** Calls `visit` for every pixel of the output with the pixels of the input under it, in row order. */
function eachWindow(info: PoolInfo, visit: (target: number, sources: readonly number[]) => void): void {
  const { batchSize, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info;
  const c = info.inChannels;
  const sources: number[] = [];
  let target = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let row = 0; row < outHeight; row++) {
      const top = row * strideHeight - padInfo.top;
      for (let column = 0; column < outWidth; column++, target += c) {
        const left = column * strideWidth - padInfo.left;
        sources.length = 0;
        for (let h = Math.max(0, top); h < Math.min(inHeight, top + info.filterHeight); h++) {
          for (let w = Math.max(0, left); w < Math.min(inWidth, left + info.filterWidth); w++) {
            sources.push(((image * inHeight + h) * inWidth + w) * c);
          }
        }
        visit(target, sources);
      }
    }
  }
}

/** The maximum under each window. NaN wins over everything, as in PyTorch; the `cpu` kernel drops it. */
function maxPool({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['x']!;
  const info = describe(x, attrs);
  if (!info) return undefined;
  const y = backend.float32(info.outShape);
  const from = backend.floats(x);
  const to = backend.floats(y);
  const c = info.inChannels;
  eachWindow(info, (target, sources) => {
    if (sources.length === 0) {
      to.fill(Number.NEGATIVE_INFINITY, target, target + c);
      return;
    }
    const first = sources[0]!;
    for (let i = 0; i < c; i++) to[target + i] = from[first + i]!;
    for (let s = 1; s < sources.length; s++) {
      const source = sources[s]!;
      for (let i = 0; i < c; i++) {
        const value = from[source + i]!;
        const best = to[target + i]!;
        if (!(value <= best) && best === best) to[target + i] = value;
      }
    }
  });
  return y;
}

/** Each gradient goes to the first maximum of its window (the first NaN, if there is one), as in PyTorch. */
function maxPoolGrad({ inputs, backend, attrs }: KernelCall): TensorInfo | undefined {
  const x = inputs['input']!;
  const dy = inputs['dy']!;
  const info = describe(x, attrs);
  if (!info || !isFloat(dy)) return undefined;
  const dx = backend.float32(x.shape);
  const from = backend.floats(x);
  const gradient = backend.floats(dy);
  const to = backend.floats(dx).fill(0);
  const c = info.inChannels;
  eachWindow(info, (target, sources) => {
    for (let i = 0; i < c; i++) {
      let winner = sources[0]! + i;
      let best = from[winner]!;
      for (let s = 1; s < sources.length; s++) {
        const value = from[sources[s]! + i]!;
        if (!(value <= best) && best === best) {
          best = value;
          winner = sources[s]! + i;
        }
      }
      to[winner]! += gradient[target + i]!;
    }
  });
  return dx;
}

export const pooling: readonly OrtKernel[] = [
  { name: 'MaxPool', run: maxPool },
  { name: 'MaxPoolGrad', run: maxPoolGrad },
];
