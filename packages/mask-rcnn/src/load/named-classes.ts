import { type ClassEntry, COCO_CLASSES, type WeightsProfile } from '@rcnn/checkpoint';
import type { Detector } from '@rcnn/core';

/** What tells the names of classes: any detector, loaded or exported. */
interface NamingDetector {
  readonly model: Pick<Detector, 'spec'>;
  readonly profile: Pick<WeightsProfile, 'classes'> | undefined;
}

/**
 * What the labels of a detector mean: what its weights say, else COCO's names for 91 classes, which is how files
 * without names come from torchvision. Empty for other files without names.
 */
export function namedClasses({ profile, model }: NamingDetector): readonly ClassEntry[] {
  return profile?.classes ?? (model.spec.numClasses === 91 ? COCO_CLASSES : []);
}
