import { RcnnError } from '@rcnn/core/errors';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { currentName, isCounter } from './names.ts';
import { leftOut, modelTensors, renamed, type SelectOptions } from './select.ts';

/** A model's tensors, ready to be written, and what was done to them. */
export interface Normalised {
  readonly tensors: readonly TensorEntry[];
  /** Old name and new name. */
  readonly renamed: readonly (readonly [string, string])[];
  /** Counters, and what did not belong to the model. */
  readonly dropped: readonly string[];
}

/**
 * The model of a file as torchvision would save it today: taken out of a training checkpoint, under current names,
 * without counters of batch norm. Layouts stay PyTorch's. Shares the file: close it after writing.
 * @throws CHECKPOINT_MISMATCH when two tensors would have one name
 */
export function normaliseTensors(source: TensorSource, options: SelectOptions = {}): Normalised {
  const model = modelTensors(source, options);
  const tensors = new Map<string, TensorEntry>();
  const changes: [string, string][] = [];
  const dropped: string[] = [];
  for (const entry of model.tensors.values()) {
    if (isCounter(entry.name)) {
      dropped.push(entry.name);
      continue;
    }
    const name = currentName(entry.name);
    if (name !== entry.name) changes.push([entry.name, name]);
    if (tensors.has(name)) {
      throw new RcnnError('CHECKPOINT_MISMATCH', {
        where: source.name,
        place: name,
        problem: 'two tensors have this name, one of them by its older spelling',
      });
    }
    tensors.set(name, renamed(entry, name));
  }
  dropped.push(...leftOut(source, options));
  return { tensors: [...tensors.values()], renamed: changes, dropped };
}
