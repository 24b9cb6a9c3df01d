/**
 * Correlation of channels in groups that do not see each other (ResNeXt, RegNet). onnxruntime's blocked convolution takes
 * groups of whole blocks only; where they are narrower, as the four channels of a ResNeXt are, so many neighbours as make
 * blocks become one group, with zeros where they do not see each other. That multiplies up to a block for each channel, and is
 * still several times as fast as a convolution for each group.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { nativeFloats, type OrtBackend } from '../../backend.ts';
import { sizeOf } from '../kernel.ts';
import { blockSize, type Maps } from '../layout.ts';
import { convolveStrips, roundUp } from './correlate-blocked.ts';
import { convolvePlain } from './correlate-plain.ts';
import { type Taps, tapsKey, type Window } from './taps.ts';
import { orderWeights } from './weights.ts';

/** Writes the correlation of `x` with the taps of `filter`, `[rows, columns, I / groups, O]`, to `y`. */
export function correlateGrouped(
  backend: OrtBackend,
  x: Maps,
  filter: TensorInfo,
  taps: Taps,
  window: Window,
  y: Maps,
): void {
  const block = blockSize(backend);
  const blocked = block > 0 && x.c % 4 === 0 && x.c >= block;
  const merged = blocked ? neighbours(taps.groups, x.c, y.c, block) : 1;
  const group = taps.groups / merged;
  const size = blocked ? block : 1;
  const dims = [roundUp(y.c, size), roundUp(x.c / group, size), taps.rows, taps.columns];
  const key = `groups of ${merged}, blocks of ${size} ${tapsKey(taps)}`;
  const data = backend.derived(filter, key, sizeOf(dims), (target) => {
    const offsets = taps.offsets.map((_, tap) => (tap * x.c * y.c) / group);
    backend.scratch((taps.offsets.length * x.c * y.c) / group, (wide) => {
      widen(backend.floats(filter), taps, [x.c, y.c], merged, wide);
      const plain = { ...taps, offsets, transposed: false };
      orderWeights(wide, plain, x.c / group, y.c, { in: size, out: size }, target);
    });
  });
  const convolve = blocked ? convolveStrips : convolvePlain;
  convolve(backend, x, nativeFloats(data, dims), taps, window, y, group);
}

/** How many groups make one of whole blocks on both sides; all of them where nothing less does. */
function neighbours(groups: number, inChannels: number, outChannels: number, block: number): number {
  for (let merged = 1; merged < groups; merged++) {
    const whole = (channels: number): boolean => ((channels / groups) * merged) % block === 0;
    if (groups % merged === 0 && whole(inChannels) && whole(outChannels)) return merged;
  }
  return groups;
}

/** The filter with `merged` groups seen as one, `[taps, channels in of such a group, channels out]`. */
function widen(
  filter: Float32Array,
  { offsets, transposed, groups }: Taps,
  [inChannels, outChannels]: readonly [number, number],
  merged: number,
  wide: Float32Array,
): void {
  const [ins, outs] = [inChannels / groups, outChannels / groups];
  wide.fill(0);
  offsets.forEach((offset, tap) => {
    for (let group = 0; group < groups; group++) {
      for (let i = 0; i < ins; i++) {
        const to = (tap * merged * ins + (group % merged) * ins + i) * outChannels + group * outs;
        // Forth, a row of the filter has the outputs of all groups; back, those are what comes in.
        const from = offset + (transposed ? group * ins + i : i * outChannels + group * outs);
        const step = transposed ? inChannels : 1;
        for (let o = 0; o < outs; o++) wide[to + o] = filter[from + o * step]!;
      }
    }
  });
}
