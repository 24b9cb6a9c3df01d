import { memoryEntry, memorySource, type TensorEntry, type TensorSource } from '@rcnn/checkpoint';
import type { ParameterLayout, ParameterOwner } from '@rcnn/core';

/**
 * Weights that are computed, not stored: a hash of each tensor's name and index, as the script that made the fixtures
 * does it. In PyTorch's names, layouts and order, so that loading is tested on the way.
 */
export function hashedWeights(model: ParameterOwner, salt: string): TensorSource {
  const parameters = model.namedParameters();
  const deep = [...parameters.keys()].some((name) => name.includes('.bn3.'));
  const lastNorm = new RegExp(`\\.layer\\d\\.\\d+\\.bn${deep ? 3 : 2}\\.`);
  const entries: TensorEntry[] = [];
  for (const [name, { shape, layout }] of parameters) {
    const stored = torchShape(shape, layout);
    const isNorm = parameters.has(`${name.slice(0, name.lastIndexOf('.'))}.running_mean`);
    const values = valuesOf(name, stored, salt, isNorm, lastNorm.test(name));
    entries.push(memoryEntry(name, 'float32', stored, values));
  }
  return memorySource(entries, 'hashed weights');
}

const GAINS: readonly (readonly [part: string, gain: number])[] = [
  ['fpn.inner_blocks', 0.15],
  ['fpn.layer_blocks', 1],
  ['cls_logits.weight', 1],
  ['rpn.head.bbox_pred.weight', 0.15],
  ['cls_score.weight', 2],
  ['box_predictor.bbox_pred.weight', 0.5],
  ['mask_fcn_logits.weight', 1.5],
];

function valuesOf(
  name: string,
  shape: readonly number[],
  salt: string,
  isNorm: boolean,
  isLastNorm: boolean,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
  fill(values, salt + name, formula(name, shape, isNorm, isLastNorm));
  return values;
}

function formula(name: string, shape: readonly number[], isNorm: boolean, isLastNorm: boolean): (u: number) => number {
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  if (isNorm) {
    if (leaf === 'weight' && isLastNorm) return (u) => 0.1 + 0.2 * u;
    return leaf === 'weight' || leaf === 'running_var' ? (u) => 0.5 + u : (u) => 0.2 * u - 0.1;
  }
  if (leaf === 'bias') return (u) => 0.1 * u - 0.05;
  const gain = GAINS.find(([part]) => name.includes(part))?.[1] ?? 2 ** 0.5;
  const fan = name.includes('conv5_mask') ? [shape[0]!, ...shape.slice(2)] : shape.slice(1);
  const deviation = (3 / fan.reduce((product, n) => product * n, 1)) ** 0.5;
  return (u) => (2 * u - 1) * gain * deviation;
}

/** `count` numbers in [0, 1) from a name. */
export function hashedUnits(name: string, count: number): Float64Array {
  const values = new Float64Array(count);
  fill(values, name, (u) => u);
  return values;
}

/** A 32-bit finaliser over seed(name) + index * golden ratio; each value a double in [0, 1). */
function fill(values: Float32Array | Float64Array, name: string, value: (u: number) => number): void {
  const seed = fnv1a(name);
  for (let i = 0; i < values.length; i++) {
    let x = (seed + Math.imul(i, 0x9e3779b9)) >>> 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    x = Math.imul(x, 0x846ca68b);
    x ^= x >>> 16;
    values[i] = value((x >>> 0) / 2 ** 32);
  }
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The shape that PyTorch stores a parameter in. */
function torchShape(shape: readonly number[], layout: ParameterLayout): readonly number[] {
  if (layout === 'same') return shape;
  if (layout === 'conv' || layout === 'transposedConv') return [shape[3]!, shape[2]!, shape[0]!, shape[1]!];
  return [shape[1]!, shape[0]!];
}
