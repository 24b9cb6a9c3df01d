import { type ClassEntry, COCO_CLASSES } from '@rcnn/checkpoint';
import type { LoadedDetector } from '@rcnn/models';

/**
 * What the labels of a detector mean: what its weights say, else COCO's names for 91 classes, which is how files
 * without names come from torchvision. Empty for other files without names.
 */
export function namedClasses({ profile, model }: Pick<LoadedDetector, 'profile' | 'model'>): readonly ClassEntry[] {
  return profile?.classes ?? (model.spec.numClasses === 91 ? COCO_CLASSES : []);
}
