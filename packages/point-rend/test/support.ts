import { loadStateDict, memoryEntry, memorySource, type TensorSource } from '@rcnn/checkpoint';
import { Random } from '@rcnn/core';
import { Fixture } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { CoarseMaskHead, PointHead, PointRendBranch, type PointRendOptions } from '../src/index.ts';

export const read = (name: string): Promise<Fixture> =>
  Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

/** The branch of a fixture's mask head: 16 channels at stride 4, five classes of objects. */
export async function build(fixture: Fixture): Promise<PointRendBranch> {
  const branch = smallBranch({ inChannels: 16, stride: 4, classes: 5 });
  const parameters = { namedParameters: (prefix?: string) => branch.namedParameters(prefix) };
  await loadStateDict(parameters, await denseRows(fixture.weights((name) => name.replace('roi_heads.', ''))));
  return branch;
}

export function smallBranch(
  { inChannels, stride, classes }: { inChannels: number; stride: number; classes: number },
  options: PointRendOptions = {},
): PointRendBranch {
  const random = new Random(5);
  const shape = { inChannels, numObjectClasses: classes, random };
  const coarse = new CoarseMaskHead({ ...shape, channels: 16, features: 64 });
  const point = new PointHead({ ...shape, channels: [32, 32, 32] });
  return new PointRendBranch({ coarse, point, stride }, options);
}

/** PyTorch's convolutions over points `[O, I, 1]` are dense layers `[O, I]`. */
async function denseRows(source: TensorSource): Promise<TensorSource> {
  const entries = [...source.tensors.values()].map(async (entry) => {
    const { buffer, byteOffset, byteLength } = await entry.read();
    const shape = entry.shape.length === 3 ? entry.shape.slice(0, 2) : entry.shape;
    return memoryEntry(entry.name, 'float32', shape, new Float32Array(buffer, byteOffset, byteLength / 4));
  });
  return memorySource(await Promise.all(entries), 'hashed weights');
}

/** A stored map `[N, C, H, W]` as ours. */
export function mapOf(fixture: Fixture, name: string): tf.Tensor4D {
  const shape = fixture.shape(name) as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
}

/** `[A, B, C]` values with the last two axes changed over: PyTorch's `[R, K, P]` as our `[R * P, K]`, and back. */
export function swapped(values: ArrayLike<number>, [a, b, c]: readonly [number, number, number]): Float32Array {
  const result = new Float32Array(a * b * c);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) result[(i * c + k) * b + j] = values[(i * b + j) * c + k]!;
  }
  return result;
}

export const labelsOf = (fixture: Fixture, name: string): Int32Array =>
  fixture.integers(name).map((label) => label + 1);
