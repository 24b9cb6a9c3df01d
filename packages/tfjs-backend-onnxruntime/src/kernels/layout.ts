/**
 * onnxruntime's blocked layout `NCHWc` (channels in blocks, the block innermost), in which its
 * convolutions are fastest. Tensors of tfjs stay NHWC: both have their channels innermost, so going
 * from one to the other only moves whole blocks and costs a few percent of a 3x3 convolution.
 */
import { nativeFloats, type OrtBackend } from '../backend.ts';
import { NCHWC } from '../onnx.ts';
import { singleNode } from './kernel.ts';

/** A batch of maps, NHWC, that need not be a tensor of tfjs. */
export interface Maps {
  readonly data: Float32Array;
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/** NHWC to NCHWc; channels are filled up with zeros to a multiple of the block. */
export function toBlocks(
  backend: OrtBackend,
  { data, n, h, w, c }: Maps,
  target: Float32Array,
  channels: number,
): void {
  const graph = singleNode('ReorderInput', { op: 'ReorderInput', domain: NCHWC, attributes: { channels_last: 1 } });
  backend.run(graph, [nativeFloats(data, [n, h, w, c])], [nativeFloats(target, [n, channels, h, w])]);
}

/** NCHWc to NHWC, dropping the channels that only fill the last block. */
export function fromBlocks(
  backend: OrtBackend,
  source: Float32Array,
  channels: number,
  { data, n, h, w, c }: Maps,
): void {
  const graph = singleNode(`ReorderOutput ${c}`, {
    op: 'ReorderOutput',
    domain: NCHWC,
    attributes: { channels: c, channels_last: 1 },
  });
  backend.run(graph, [nativeFloats(source, [n, channels, h, w])], [nativeFloats(data, [n, h, w, c])]);
}

/** NHWC to NCHW. */
export function toPlanes(backend: OrtBackend, { data, n, h, w, c }: Maps, target: Float32Array): void {
  const graph = singleNode('NHWC to NCHW', { op: 'Transpose', attributes: { perm: [0, 3, 1, 2] } });
  backend.run(graph, [nativeFloats(data, [n, h, w, c])], [nativeFloats(target, [n, c, h, w])]);
}

const blocks = new WeakMap<OrtBackend, number>();

/** Channels in a block on this processor (16 with AVX-512, else 8); 0 where onnxruntime has no such kernels. */
export function blockSize(backend: OrtBackend): number {
  const known = blocks.get(backend);
  if (known !== undefined) return known;
  const found = backend.blockedLayout ? probe(backend) : 0;
  blocks.set(backend, found);
  return found;
}

/** Two pixels of 32 channels, numbered: where the second pixel comes, the first block has ended. */
function probe(backend: OrtBackend): number {
  const data = Float32Array.from({ length: 64 }, (_, i) => i);
  const target = new Float32Array(64);
  try {
    toBlocks(backend, { data, n: 1, h: 1, w: 2, c: 32 }, target, 32);
  } catch {
    return 0;
  }
  return Math.max(0, target.indexOf(32));
}
