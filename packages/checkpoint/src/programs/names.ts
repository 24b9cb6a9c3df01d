/** How names of another program become torchvision's: the first pattern that fits. Null drops a tensor. */
export type Renaming = readonly (readonly [pattern: RegExp, name: string | null])[];

/** detectron2, Mask, Faster and Cascade R-CNN on a ResNet with an FPN, or without a cascade on one map (C4, DC5). */
export const DETECTRON2: Renaming = [
  [/^(pixel_mean|pixel_std|.*anchor_generator\.cell_anchors\.\d+)$/, null],
  [/^backbone\.(?:bottom_up\.)?stem\.conv1\.weight$/, 'backbone.body.conv1.weight'],
  [/^backbone\.(?:bottom_up\.)?stem\.conv1\.norm\.(\w+)$/, 'backbone.body.bn1.$1'],
  [/^backbone\.(?:bottom_up\.)?res([2-5])\.(\d+)\.conv(\d)\.weight$/, 'backbone.body.layer<$1>.$2.conv$3.weight'],
  [/^backbone\.(?:bottom_up\.)?res([2-5])\.(\d+)\.conv(\d)\.norm\.(\w+)$/, 'backbone.body.layer<$1>.$2.bn$3.$4'],
  [/^backbone\.(?:bottom_up\.)?res([2-5])\.(\d+)\.shortcut\.weight$/, 'backbone.body.layer<$1>.$2.downsample.0.weight'],
  [
    /^backbone\.(?:bottom_up\.)?res([2-5])\.(\d+)\.shortcut\.norm\.(\w+)$/,
    'backbone.body.layer<$1>.$2.downsample.1.$3',
  ],
  [/^roi_heads\.res5\.(\d+)\.conv(\d)\.weight$/, 'roi_heads.res5.$1.conv$2.weight'], // C4's last stage
  [/^roi_heads\.res5\.(\d+)\.conv(\d)\.norm\.(\w+)$/, 'roi_heads.res5.$1.bn$2.$3'],
  [/^roi_heads\.res5\.(\d+)\.shortcut\.weight$/, 'roi_heads.res5.$1.downsample.0.weight'],
  [/^roi_heads\.res5\.(\d+)\.shortcut\.norm\.(\w+)$/, 'roi_heads.res5.$1.downsample.1.$2'],
  [/^backbone\.fpn_lateral([2-5])\.(weight|bias)$/, 'backbone.fpn.inner_blocks.<<$1>>.0.$2'],
  [/^backbone\.fpn_output([2-5])\.(weight|bias)$/, 'backbone.fpn.layer_blocks.<<$1>>.0.$2'],
  [/^proposal_generator\.rpn_head\.conv\.(weight|bias)$/, 'rpn.head.conv.0.0.$1'],
  [/^proposal_generator\.rpn_head\.objectness_logits\.(weight|bias)$/, 'rpn.head.cls_logits.$1'],
  [/^proposal_generator\.rpn_head\.anchor_deltas\.(weight|bias)$/, 'rpn.head.bbox_pred.$1'],
  // A cascade numbers its stages, and each has a head and a predictor of its own.
  [/^roi_heads\.box_head\.(\d\.)?fc1\.(weight|bias)$/, 'roi_heads.box_head.$1fc6.$2'],
  [/^roi_heads\.box_head\.(\d\.)?fc2\.(weight|bias)$/, 'roi_heads.box_head.$1fc7.$2'],
  [/^roi_heads\.box_predictor\.(\d\.)?(cls_score|bbox_pred)\.(weight|bias)$/, 'roi_heads.box_predictor.$1$2.$3'],
  [/^(roi_heads\.mask_head\.(?:coarse|point)_head\.\w+\.(?:weight|bias))$/, '$1'], // PointRend's
  [/^roi_heads\.mask_head\.mask_fcn([1-9])\.(weight|bias)$/, 'roi_heads.mask_head.<$1>.0.$2'],
  [/^roi_heads\.mask_head\.deconv\.(weight|bias)$/, 'roi_heads.mask_predictor.conv5_mask.$1'],
  [/^roi_heads\.mask_head\.predictor\.(weight|bias)$/, 'roi_heads.mask_predictor.mask_fcn_logits.$1'],
];

/** mmdetection from 2.0 on (before, the background came first and names were others), the same detectors. */
const MMDETECTION: Renaming = [
  [/^data_preprocessor\./, null],
  [/\.num_batches_tracked$/, null],
  [/^backbone\.((?:conv1|bn1|layer[1-4]\.\d+\.(?:conv\d|bn\d|downsample\.[01]))\.\w+)$/, 'backbone.body.$1'],
  [/^neck\.lateral_convs\.(\d)\.conv\.(weight|bias)$/, 'backbone.fpn.inner_blocks.$1.0.$2'],
  [/^neck\.fpn_convs\.(\d)\.conv\.(weight|bias)$/, 'backbone.fpn.layer_blocks.$1.0.$2'],
  [/^rpn_head\.rpn_conv\.(weight|bias)$/, 'rpn.head.conv.0.0.$1'],
  [/^rpn_head\.rpn_cls\.(weight|bias)$/, 'rpn.head.cls_logits.$1'],
  [/^rpn_head\.rpn_reg\.(weight|bias)$/, 'rpn.head.bbox_pred.$1'],
  [/^roi_head\.bbox_head\.shared_fcs\.0\.(weight|bias)$/, 'roi_heads.box_head.fc6.$1'],
  [/^roi_head\.bbox_head\.shared_fcs\.1\.(weight|bias)$/, 'roi_heads.box_head.fc7.$1'],
  [/^roi_head\.bbox_head\.fc_cls\.(weight|bias)$/, 'roi_heads.box_predictor.cls_score.$1'],
  [/^roi_head\.bbox_head\.fc_reg\.(weight|bias)$/, 'roi_heads.box_predictor.bbox_pred.$1'],
  [/^roi_head\.mask_head\.convs\.(\d)\.conv\.(weight|bias)$/, 'roi_heads.mask_head.$1.0.$2'],
  [/^roi_head\.mask_head\.upsample\.(weight|bias)$/, 'roi_heads.mask_predictor.conv5_mask.$1'],
  [/^roi_head\.mask_head\.conv_logits\.(weight|bias)$/, 'roi_heads.mask_predictor.mask_fcn_logits.$1'],
];

/** What mmdetection calls the second stage of its Hybrid Task Cascade. */
const HTC: Renaming = [
  [/^roi_head\.bbox_head\.(\d)\.shared_fcs\.0\.(weight|bias)$/, 'roi_heads.box_head.$1.fc6.$2'],
  [/^roi_head\.bbox_head\.(\d)\.shared_fcs\.1\.(weight|bias)$/, 'roi_heads.box_head.$1.fc7.$2'],
  [/^roi_head\.bbox_head\.(\d)\.fc_cls\.(weight|bias)$/, 'roi_heads.box_predictor.$1.cls_score.$2'],
  [/^roi_head\.bbox_head\.(\d)\.fc_reg\.(weight|bias)$/, 'roi_heads.box_predictor.$1.bbox_pred.$2'],
  [/^roi_head\.mask_head\.(\d)\.convs\.(\d)\.conv\.(weight|bias)$/, 'roi_heads.mask_head.$1.$2.0.$3'],
  [/^roi_head\.mask_head\.(\d)\.conv_res\.conv\.(weight|bias)$/, 'roi_heads.mask_flow.$1.$2'],
  [/^roi_head\.mask_head\.(\d)\.upsample\.(weight|bias)$/, 'roi_heads.mask_predictor.$1.conv5_mask.$2'],
  [/^roi_head\.mask_head\.(\d)\.conv_logits\.(weight|bias)$/, 'roi_heads.mask_predictor.$1.mask_fcn_logits.$2'],
  [
    /^roi_head\.(semantic_head\.(?:(?:lateral_convs|convs)\.\d|conv_embedding)\.conv\.(?:weight|bias))$/,
    'roi_heads.$1',
  ],
  [/^roi_head\.(semantic_head\.conv_logits\.(?:weight|bias))$/, 'roi_heads.$1'],
];

/** The names of a detector by mmdetection. Its other cascades have no flow between their masks, and no place in ours. */
export function namesOfMmdetection(tensors: ReadonlyMap<string, unknown>): Renaming {
  return tensors.has('roi_head.mask_head.1.conv_res.conv.weight') ? [...MMDETECTION, ...HTC] : MMDETECTION;
}

/** torchvision's name, null for a tensor that is not needed, undefined for one that nobody knows. */
export function renamedBy(renaming: Renaming, name: string): string | null | undefined {
  for (const [pattern, target] of renaming) {
    if (!pattern.test(name)) continue;
    if (target === null) return null;
    // <n> counts from 1 lower, <<n>> from 2 lower: detectron2 numbers stages as papers do.
    const filled = name.replace(pattern, target);
    return filled
      .replace(/<<(\d)>>/, (_, n: string) => String(Number(n) - 2))
      .replace(/<(\d)>/, (_, n: string) => String(Number(n) - 1));
  }
  return undefined;
}
