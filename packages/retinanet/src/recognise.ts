import { resnetNameOf } from '@rcnn/backbone-resnet';
import type { TensorSource } from '@rcnn/checkpoint';
import { fromFormerNames } from './former-names.ts';

/** Of every level, in torchvision's models and ours. */
const ANCHORS = 9;

/** The name of the recipe whose tensors these are; undefined for others. */
export function retinaNetRecipeOf(source: TensorSource): string | undefined {
  const { tensors } = fromFormerNames(source);
  if (!tensors.has('head.classification_head.cls_logits.weight')) return undefined;
  const body = resnetNameOf((name) => tensors.get(`backbone.body.${name}`)?.shape);
  if (body === undefined) return undefined;
  return `retinanet_${body}_fpn${tensors.has('head.classification_head.conv.0.1.weight') ? '_v2' : ''}`;
}

/** How many classes the file tells apart, the background with them; 0 when it does not say. */
export function retinaNetClassesOf({ tensors }: Pick<TensorSource, 'tensors'>): number {
  return (tensors.get('head.classification_head.cls_logits.weight')?.shape[0] ?? 0) / ANCHORS;
}
