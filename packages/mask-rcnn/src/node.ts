import { loadPretrained, type PretrainedOptions } from '@rcnn/checkpoint/node';
import { detectorFromCheckpoint, type FromCheckpointOptions, type LoadedDetector } from './from-checkpoint.ts';
import type { MaskRCNN } from './mask-rcnn.ts';

export type LoadDetectorOptions = FromCheckpointOptions & Pick<PretrainedOptions, 'offline' | 'cache' | 'onEvent'>;

/** What the name of published weights tells of their detector; of a path or a URL nothing is known beforehand. */
export type DetectorNamed<Name extends string> = Name extends `maskrcnn_${string}`
  ? Omit<LoadedDetector, 'model'> & { readonly model: MaskRCNN }
  : LoadedDetector;

/**
 * A detector by torchvision's name, path or URL of its weights; published files are downloaded once.
 *
 * ```ts
 * const { model } = await loadDetector('maskrcnn_resnet50_fpn');
 * const [found] = await model.detect([image]);
 * ```
 * @throws what `loadPretrained` and {@link detectorFromCheckpoint} throw
 */
export async function loadDetector<What extends string>(
  what: What,
  { offline, cache, onEvent, ...options }: LoadDetectorOptions = {},
): Promise<DetectorNamed<What>> {
  const checkpoint = await loadPretrained(what, {
    ...(offline === undefined ? {} : { offline }),
    ...(cache === undefined ? {} : { cache }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  try {
    return (await detectorFromCheckpoint(checkpoint, options)) as DetectorNamed<What>;
  } finally {
    await checkpoint.close();
  }
}
