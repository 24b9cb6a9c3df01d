import { resnetNameOf } from '@rcnn/backbone-resnet';
import type { TensorSource } from '@rcnn/checkpoint';
import { fromOriginNames } from './origin-names.ts';

/** The name of the recipe whose tensors these are, under our names or those of their origin; undefined for others. */
export function soloRecipeOf(source: TensorSource): string | undefined {
  const { tensors } = fromOriginNames(source);
  const has = (name: string): boolean => tensors.has(`mask_head.${name}.weight`);
  if (!has('conv_cls')) return undefined;
  const body = resnetNameOf((name) => tensors.get(`backbone.body.${name}`)?.shape);
  if (body === undefined) return undefined;
  if (has('conv_kernel')) return `solov2_${body}_fpn`;
  if (has('conv_mask_list_x.0')) return `decoupled_solo_${body}_fpn`;
  return has('conv_mask_list.0') ? `solo_${body}_fpn` : undefined;
}

/** How many classes the file's cells tell apart, the background with them; 0 when it has no such layer. */
export function soloClassesOf(source: TensorSource): number {
  const [classes] = fromOriginNames(source).tensors.get('mask_head.conv_cls.weight')?.shape ?? [];
  return classes === undefined ? 0 : classes + 1;
}
