import { resnetNameOf } from '@rcnn/backbone-resnet';
import type { TensorSource } from '@rcnn/checkpoint';
import { fromAuthorsNames } from './authors-names.ts';

/** The recipe of what a file holds, under the authors' names or ours; undefined for what is no YOLACT on a ResNet. */
export function yolactRecipeOf(weights: TensorSource): string | undefined {
  const { tensors } = fromAuthorsNames(weights);
  if (!tensors.has('prediction_layers.0.conf_layer.weight')) return undefined;
  const body = resnetNameOf((name) => tensors.get(`backbone.body.${name}`)?.shape);
  const plus = tensors.has('maskiou_net.maskiou_net.0.weight') ? 'plus_' : '';
  return body && `yolact_${plus}${body}_fpn`;
}

/** How many classes the file tells apart, background included; 0 when it does not say. */
export function yolactClassesOf({ tensors }: Pick<TensorSource, 'tensors'>): number {
  const rows = tensors.get('semantic_seg_conv.weight')?.shape[0]; // one for each class but the background
  return rows === undefined ? 0 : rows + 1;
}
