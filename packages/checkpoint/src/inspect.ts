import type { Checkpoint } from './checkpoint.ts';
import type { DType } from './dtypes.ts';
import { type Hashing, sha256Of, webHashing } from './hashing.ts';
import type { TensorEntry } from './tensor-source.ts';

/** What `mask-rcnn inspect` says of a tensor. */
export interface TensorSummary {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of the contiguous little-endian bytes in the stored type: the same for the same numbers in any file format. */
  readonly sha256: string;
}

/** Reads every tensor of a checkpoint and sums it up, weights first, then groups as `group/name`. */
export async function* inspectTensors(
  checkpoint: Checkpoint,
  hashing: Hashing = webHashing,
): AsyncGenerator<TensorSummary> {
  for (const tensor of checkpoint.weights.tensors.values()) yield summary(tensor, tensor.name, hashing);
  for (const [group, { tensors }] of checkpoint.groups) {
    for (const tensor of tensors.values()) yield summary(tensor, `${group}/${tensor.name}`, hashing);
  }
}

async function summary(tensor: TensorEntry, name: string, hashing: Hashing): Promise<TensorSummary> {
  const { dtype, shape } = tensor;
  return { name, dtype, shape, sha256: await sha256Of(tensor.chunks(), hashing) };
}
