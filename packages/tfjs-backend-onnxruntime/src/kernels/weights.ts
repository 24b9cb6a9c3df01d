/** The orders in which onnxruntime wants the weights of a convolution. */
import type { Taps } from './taps.ts';

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
