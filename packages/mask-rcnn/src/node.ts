import { loadPretrained, type PretrainedOptions } from '@rcnn/checkpoint/node';
import { detectorFromCheckpoint, type FromCheckpointOptions, type LoadedDetector } from './from-checkpoint.ts';

export type LoadDetectorOptions = FromCheckpointOptions & Pick<PretrainedOptions, 'offline' | 'cache' | 'onEvent'>;

/**
 * A detector by torchvision's name, path or URL of its weights; published files are downloaded once.
 *
 * ```ts
 * const { model } = await loadDetector('maskrcnn_resnet50_fpn');
 * const [found] = await model.detect([image]);
 * ```
 * @throws what `loadPretrained` and {@link detectorFromCheckpoint} throw
 */
export async function loadDetector(
  what: string,
  { offline, cache, onEvent, ...options }: LoadDetectorOptions = {},
): Promise<LoadedDetector> {
  const checkpoint = await loadPretrained(what, {
    ...(offline === undefined ? {} : { offline }),
    ...(cache === undefined ? {} : { cache }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  try {
    return await detectorFromCheckpoint(checkpoint, options);
  } finally {
    await checkpoint.close();
  }
}
