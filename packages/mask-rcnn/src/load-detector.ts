import type { LoadedDetector } from '@rcnn/models';
import { type LoadDetectorOptions, loadDetector as loadAny } from '@rcnn/models/node';
import type { MaskRCNN } from '@rcnn/two-stage';
import type { MaskWeights } from './load/load.ts';
import { weightsFile } from './load/run-folder.ts';

/** What the name of published weights tells of their detector; of a path or a URL nothing is known beforehand. */
export type DetectorNamed<What extends string> = What extends MaskWeights
  ? Omit<LoadedDetector, 'model'> & { readonly model: MaskRCNN }
  : LoadedDetector;

/**
 * A detector without what `load` puts around it: by torchvision's name, by path, run folder or URL of its
 * weights; published files are downloaded once.
 *
 * ```ts
 * const { model } = await loadDetector('maskrcnn_resnet50_fpn');
 * const [found] = await model.detect([image]);
 * ```
 * @throws what `loadPretrained` and `detectorFromCheckpoint` throw
 */
export async function loadDetector<What extends string>(
  what: What,
  options?: LoadDetectorOptions,
): Promise<DetectorNamed<What>> {
  return (await loadAny(weightsFile(what), options)) as DetectorNamed<What>;
}
