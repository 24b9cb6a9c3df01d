import { RcnnError } from '@rcnn/core/errors';
import type { TensorSource } from '../tensor-source.ts';

export type Program = 'detectron2' | 'mmdetection';

/** Which program's names a detector has that is converted here; undefined for torchvision's and unknown ones. */
export function programOf({ tensors }: Pick<TensorSource, 'tensors'>): Program | undefined {
  if (tensors.has('proposal_generator.rpn_head.conv.weight')) return 'detectron2';
  return tensors.has('rpn_head.rpn_conv.weight') && tensors.has('neck.lateral_convs.0.conv.weight')
    ? 'mmdetection'
    : undefined;
}

/** What names tell of a file that cannot be loaded as it is. */
export interface Stranger {
  readonly problem: string;
  readonly hint: string;
}

/** What to do with weights that have another program's names; undefined for names of ours, or of nobody's that is known. */
export function strangerOf(source: Pick<TensorSource, 'tensors'>): Stranger | undefined {
  const program = programOf(source) ?? looksLike(source);
  if (program !== undefined)
    return {
      problem: `the tensors have the names of ${program}`,
      hint: "Convert the file and name what comes out: 'mask-rcnn convert IN OUT.safetensors' (convertForeign in TypeScript) takes Mask, Faster and Cascade R-CNN on a ResNet with an FPN.",
    };
  if (!isCaffe2(source)) return undefined;
  return {
    problem: "this is a classifier in Caffe2's names, such as detectron2's R-50.pkl, which is not read",
    hint: 'It wants BGR pixels and has no batch norm. Take the same network of torchvision or timm: mask-rcnn train --weights-backbone FILE (weightsBackbone).',
  };
}

/** @throws CHECKPOINT_MISMATCH for Caffe2's names, which nothing here takes */
export function refuseCaffe2(source: Pick<TensorSource, 'name' | 'tensors'>): void {
  if (isCaffe2(source)) throw new RcnnError('CHECKPOINT_MISMATCH', { where: source.name, ...strangerOf(source)! });
}

/** Other detectors of the same programs. */
function looksLike({ tensors }: Pick<TensorSource, 'tensors'>): Program | undefined {
  for (const name of tensors.keys()) {
    if (/(?:^|\.)backbone\.bottom_up\./.test(name)) return 'detectron2';
    if (/(?:^|\.)(?:neck\.(?:lateral|fpn)_convs|roi_head\.bbox_head|bbox_head\.(?:cls|reg)_convs)\./.test(name))
      return 'mmdetection';
  }
  return undefined;
}

function isCaffe2({ tensors }: Pick<TensorSource, 'tensors'>): boolean {
  return [...tensors.keys()].some((name) => /(?:^|\.)res2_0_branch(?:1|2[abc])(?:_w|_bn_s)$/.test(name));
}
