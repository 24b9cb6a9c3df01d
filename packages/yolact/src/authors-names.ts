import { memorySource, type TensorEntry, type TensorSource } from '@rcnn/checkpoint';

/** The authors' names of the body and the pyramid, and ours, which are torchvision's. The rest is called the same. */
const RENAMED: readonly (readonly [theirs: RegExp, ours: (...parts: string[]) => string])[] = [
  [/^backbone\.(conv1|bn1)\.(.+)$/, (part, rest) => `backbone.body.${part}.${rest}`],
  [/^backbone\.layers\.(\d)\.(.+)$/, (stage, rest) => `backbone.body.layer${Number(stage) + 1}.${rest}`],
  // Coarsest first: C5, C4, C3.
  [/^fpn\.lat_layers\.([0-2])\.(.+)$/, (level, rest) => `backbone.fpn.inner_blocks.${2 - Number(level)}.0.${rest}`],
  [/^fpn\.pred_layers\.([0-2])\.(.+)$/, (level, rest) => `backbone.fpn.layer_blocks.${2 - Number(level)}.0.${rest}`],
  [/^fpn\.downsample_layers\.([01])\.(.+)$/, (i, rest) => `backbone.fpn.extra_blocks.p${Number(i) + 6}.${rest}`],
];

/** What old files hold beside the model: stages under two names, and layers that nothing uses. */
const UNUSED = /^(backbone\.layer\d|fpn\.downsample_layers\.([2-9]|\d\d))\./;

/** Whether these are tensors of a YOLACT under its authors' names. */
export function hasAuthorsNames({ tensors }: Pick<TensorSource, 'tensors'>): boolean {
  return tensors.has('fpn.lat_layers.0.weight') && tensors.has('prediction_layers.0.bbox_layer.weight');
}

/**
 * The same tensors under the names of `YOLACT` of this package; others are given back as they are. Shares the file:
 * close that one.
 */
export function fromAuthorsNames(source: TensorSource): TensorSource {
  if (!hasAuthorsNames(source)) return source;
  const entries: TensorEntry[] = [];
  for (const entry of source.tensors.values()) {
    if (!UNUSED.test(entry.name)) entries.push({ ...entry, name: nameOf(entry.name) });
  }
  return {
    ...memorySource(entries, source.name),
    format: source.format,
    metadata: source.metadata,
    close: () => source.close(),
  };
}

function nameOf(name: string): string {
  for (const [theirs, ours] of RENAMED) {
    const parts = theirs.exec(name);
    if (parts !== null) return ours(...parts.slice(1));
  }
  return name;
}
