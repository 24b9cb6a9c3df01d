import { memorySource, type TensorSource } from '@rcnn/checkpoint';

/** In older releases of torchvision a branch was one list of convolutions and ReLUs, and only every second had weights. */
const FORMER = /^(head\.(?:classification|regression)_head\.conv)\.(\d)\.(weight|bias)$/;

/**
 * The same tensors under torchvision's names of today: its published first weights have those of then. Others are given
 * back as they are. Shares the file: close that one.
 */
export function fromFormerNames(source: TensorSource): TensorSource {
  if (!source.tensors.has('head.classification_head.conv.0.weight')) return source;
  const entries = [...source.tensors.values()].map((entry) => {
    const [, branch, at, leaf] = FORMER.exec(entry.name) ?? [];
    return branch === undefined ? entry : { ...entry, name: `${branch}.${Number(at) / 2}.0.${leaf}` };
  });
  const { name, format, metadata } = source;
  return { ...memorySource(entries, name), format, metadata, close: () => source.close() };
}
