import { besideModel } from '@rcnn/checkpoint';
import { loadPretrained, type PretrainedOptions } from '@rcnn/checkpoint/node';
import { detectorFromCheckpoint, type FromCheckpointOptions, type LoadedDetector } from './from-checkpoint.ts';

export type LoadDetectorOptions = FromCheckpointOptions & Pick<PretrainedOptions, 'offline' | 'cache' | 'onEvent'>;

/**
 * A detector of any architecture by the name of published weights, by path or by URL; what is published is downloaded
 * once. What lies beside the model in its file (averaged weights, tensors of others) is told to `onEvent`.
 * @throws what `loadPretrained` and {@link detectorFromCheckpoint} throw
 */
export async function loadDetector(
  what: string,
  { offline, cache, onEvent, ...options }: LoadDetectorOptions = {},
): Promise<LoadedDetector> {
  const checkpoint = await loadPretrained(what, {
    ...(offline !== undefined && { offline }),
    ...(cache !== undefined && { cache }),
    ...(onEvent !== undefined && { onEvent }),
  });
  try {
    for (const message of besideModel(checkpoint.weights)) {
      onEvent?.({ kind: 'warning', path: checkpoint.path, message });
    }
    return await detectorFromCheckpoint(checkpoint, options);
  } finally {
    await checkpoint.close();
  }
}
