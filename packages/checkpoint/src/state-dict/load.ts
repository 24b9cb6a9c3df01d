import type { DetectorSpec, Parameter, ParameterOwner } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { DType } from '../dtypes.ts';
import { memoryEntry, type TensorEntry, type TensorSource } from '../tensor-source.ts';
import { checkFinite, decodeFloats } from './decode.ts';
import { fromStored, storedShape, toStored } from './layout.ts';
import { type LoadReport, type Match, type MatchOptions, matchTensors } from './match.ts';
import { modelTensors } from './select.ts';

export interface LoadOptions extends MatchOptions {
  /** Load NaN and infinity too. Default false: they are an error that names the tensor and the first index. */
  readonly allowNonFinite?: boolean;
}

/**
 * Gives a model the weights of a file: names of any torchvision release, PyTorch's layouts, any number type. The model
 * changes only after everything was read and checked. Does not close the source.
 * @throws CHECKPOINT_MISMATCH, NON_FINITE, and what reading throws (FILE_TRUNCATED, DIGEST_MISMATCH, …)
 */
export async function loadStateDict(
  owner: Pick<ParameterOwner, 'namedParameters'> & { readonly spec?: Pick<DetectorSpec, 'isPredictor'> | undefined },
  source: TensorSource,
  options: LoadOptions = {},
): Promise<LoadReport> {
  const { pairs, report } = matchTensors(owner.namedParameters(), modelTensors(source), {
    isPredictor: owner.spec?.isPredictor,
    ...options,
  });
  const values: tf.Tensor[] = [];
  try {
    const reads = readAhead(pairs);
    for (const { parameter, entry } of pairs) {
      values.push(makeTensor(await reads(), entry, parameter, source.name, options));
    }
    pairs.forEach(({ parameter }, i) => parameter.assign(values[i]!));
  } finally {
    tf.dispose(values);
  }
  return report;
}

/** Larger tensors, in bytes, get memory of their own. */
const MOST_REUSED = 2 ** 26;

/**
 * Reads tensors in order; the next one is on its way while the caller works on the last, whose bytes are then forgotten:
 * those whose layout is changed are all read into the same memory, for new memory costs more than reading.
 */
function readAhead(pairs: Match<Parameter>['pairs']): () => Promise<Uint8Array<ArrayBuffer>> {
  const turned = pairs.filter(({ parameter }) => parameter.layout !== 'same');
  const largest = Math.min(MOST_REUSED, Math.max(0, ...turned.map(({ entry }) => entry.byteLength)));
  const memory = [new Uint8Array(largest), new Uint8Array(largest)] as const; // one is filled while one is read
  let index = 0;
  const begin = (): Promise<Uint8Array<ArrayBuffer>> | undefined => {
    const pair = pairs[index];
    const read = pair?.entry.read(pair.parameter.layout === 'same' ? undefined : memory[index % 2 === 0 ? 0 : 1]);
    index++;
    read?.catch(() => undefined); // told to whoever asks for it, if anyone does
    return read;
  };
  let next = begin();
  return () => {
    const now = next!;
    next = begin();
    return now;
  };
}

function makeTensor(
  bytes: Uint8Array<ArrayBuffer>,
  { name, dtype }: TensorEntry,
  { shape, layout }: Parameter,
  where: string,
  { allowNonFinite = false }: LoadOptions,
): tf.Tensor {
  const numbers = decodeFloats(bytes, dtype);
  if (numbers === null) {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where,
      place: name,
      problem: 'weights of this type cannot be loaded',
      found: dtype,
      expected: 'floats of 16, 32 or 64 bits, or integers',
      hint: 'In PyTorch, save them as floats: {name: tensor.float() for name, tensor in state_dict.items()}.',
    });
  }
  const { values, finite } = fromStored(numbers, shape, layout);
  if (!allowNonFinite && !finite) checkFinite(numbers, where, name);
  return tf.tensor(values, [...shape], 'float32');
}

const TYPES: Readonly<Partial<Record<tf.DataType, DType>>> = { float32: 'float32', int32: 'int32', bool: 'bool' };

/**
 * A model's parameters as PyTorch would store them: its names, its layouts. A snapshot: the model may go on.
 * Feed it to `saveCheckpoint`, `checkpointFile` or `safetensorsFile`.
 */
export async function stateDict(owner: Pick<ParameterOwner, 'namedParameters'>): Promise<Map<string, TensorEntry>> {
  const entries = new Map<string, TensorEntry>();
  for (const [name, { value, shape, layout }] of owner.namedParameters()) {
    const ours = (await value.data()) as Float32Array | Int32Array | Uint8Array;
    const stored = toStored(ours, shape, layout) as Float32Array<ArrayBuffer>;
    entries.set(name, memoryEntry(name, TYPES[value.dtype]!, storedShape(shape, layout), stored));
  }
  return entries;
}
