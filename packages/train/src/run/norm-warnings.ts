import type { Parameter } from '@rcnn/core';
import type { SharedNorms } from '@rcnn/distributed';
import type { TrainConfig } from '../config/options.ts';

/** What `syncBatchNorm` does not do here, though it was asked for; nothing in a process that trains alone. */
export function normWarnings(
  { syncBatchNorm, arch }: Pick<TrainConfig, 'syncBatchNorm' | 'arch'>,
  parameters: ReadonlyMap<string, Parameter>,
  norms: SharedNorms | undefined,
): string[] {
  if (!syncBatchNorm || norms === undefined) return [];
  // A batch norm has running statistics; one that is frozen has nothing that learns beside them.
  const learning = [...parameters.keys()].flatMap((name) => {
    if (!name.endsWith('.running_mean')) return [];
    const norm = name.slice(0, -'.running_mean'.length);
    return ['weight', 'bias'].some((part) => parameters.get(`${norm}.${part}`)?.trainable === true) ? [norm] : [];
  });
  if (learning.length === 0) {
    return [
      'syncBatchNorm changes nothing: no batch norm of this model learns, and frozen ones do not look at batches.',
    ];
  }
  if (learning.length <= norms.count) return [];
  const own = learning.length - norms.count;
  return [
    `${own} of ${learning.length} batch norms that learn are not synchronised: ${arch} makes them itself, without 'training.batchNorm' of its build request.`,
  ];
}
