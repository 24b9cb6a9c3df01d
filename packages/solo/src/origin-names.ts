import { memorySource, type TensorSource } from '@rcnn/checkpoint';

/** How the names of the method's own programs become ours: each pattern that fits, in this order. */
const RENAMED: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^backbone\.((?:conv1|bn1|layer[1-4])\..*)$/, 'backbone.body.$1'],
  [/^neck\.lateral_convs\.(\d)\.conv\.(weight|bias)$/, 'backbone.fpn.inner_blocks.$1.0.$2'],
  [/^neck\.fpn_convs\.(\d)\.conv\.(weight|bias)$/, 'backbone.fpn.layer_blocks.$1.0.$2'],
  // The authors' program, on mmdetection 1.0; what follows `mask_head.` is mmdetection's of today.
  [/^(?:bbox_head|mask_head)\.(?:d?solo_cate)\./, 'mask_head.conv_cls.'],
  [/^bbox_head\.cate_convs\./, 'mask_head.cls_convs.'],
  [/^bbox_head\.kernel_convs\./, 'mask_head.kernel_convs.'],
  [/^bbox_head\.solo_kernel\./, 'mask_head.conv_kernel.'],
  [/^bbox_head\.ins_convs((?:_[xy])?)\./, 'mask_head.mask_convs$1.'],
  [/^bbox_head\.d?solo_ins_list((?:_[xy])?)\./, 'mask_head.conv_mask_list$1.'],
  [/^mask_feat_head\./, 'mask_head.mask_feature_head.'],
  [/^(mask_head\.mask_feature_head\.conv_pred)\.0\./, '$1.'],
];

/**
 * Our name of a tensor of a SOLO by its authors' program or by mmdetection; null for what is no weight; other names,
 * ours among them, as they are.
 */
export function ownName(name: string): string | null {
  if (name.startsWith('data_preprocessor.')) return null;
  return RENAMED.reduce((now, [pattern, replacement]) => now.replace(pattern, replacement), name);
}

/**
 * The same tensors under our names; those that have them already are given back as they are. Shares the file: close that
 * one.
 */
export function fromOriginNames(source: TensorSource): TensorSource {
  const entries = [...source.tensors.values()].flatMap((entry) => {
    const name = ownName(entry.name);
    return name === null ? [] : [{ ...entry, name }];
  });
  const { name, format, metadata } = source;
  return { ...memorySource(entries, name), format, metadata, close: () => source.close() };
}
