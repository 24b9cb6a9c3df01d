/** The order in which onnxruntime wants the weights of a convolution. */
import type { Taps } from './taps.ts';

/** Channels that stand together as one number of the layout. A block of 1 is no block. */
export interface Blocks {
  readonly in: number;
  readonly out: number;
}

/**
 * Weights as `[outBlocks, inBlocks, rows, columns, in within block, out within block]`; zeros fill the last blocks. Without
 * blocks that is ONNX's own order, `[out, in, rows, columns]`.
 */
export function orderWeights(
  filter: Float32Array,
  { offsets, transposed }: Taps,
  inChannels: number,
  outChannels: number,
  blocks: Blocks,
  target: Float32Array,
): void {
  const [inStride, outStride] = transposed ? [1, inChannels] : [outChannels, 1];
  if (inChannels % blocks.in !== 0 || outChannels % blocks.out !== 0) target.fill(0);
  let at = 0;
  for (let outStart = 0; outStart < outChannels; outStart += blocks.out) {
    const outs = Math.min(blocks.out, outChannels - outStart);
    for (let inStart = 0; inStart < inChannels; inStart += blocks.in) {
      const ins = Math.min(blocks.in, inChannels - inStart);
      for (const offset of offsets) {
        let row = offset + inStart * inStride + outStart * outStride;
        for (let i = 0; i < ins; i++, row += inStride) {
          const base = at + i * blocks.out;
          for (let o = 0; o < outs; o++) target[base + o] = filter[row + o * outStride]!;
        }
        at += blocks.in * blocks.out;
      }
    }
  }
}
