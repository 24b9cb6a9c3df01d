/**
 * What a picture is for. A run replaces pictures of the same kind alone: crops may since have become somebody's dataset,
 * and to look at that must not cost it.
 */
export type PictureKind = 'prediction' | 'crop' | 'mask' | 'panels' | 'augmentation';

/** What stands in pictures and videos of a kind, by which a later run knows them again. */
export function signature(kind: PictureKind): string {
  return `mask-rcnn ${kind}`;
}
