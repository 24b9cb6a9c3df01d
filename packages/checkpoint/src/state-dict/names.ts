/** Older torchvision releases used these names; its loader maps them too. */
const RENAMED: readonly (readonly [old: RegExp, now: string])[] = [
  [/(^|\.)((?:inner|layer)_blocks\.\d+)\.(weight|bias)$/, '$1$2.0.$3'],
  [/(^|\.)(rpn\.head\.conv)\.(weight|bias)$/, '$1$2.0.0.$3'],
];
const MASK_FCN = /(^|\.)mask_head\.mask_fcn([1-9]\d*)\.(weight|bias)$/;

/** The name that torchvision uses today for a tensor of any of its releases. */
export function currentName(name: string): string {
  for (const [old, now] of RENAMED) if (old.test(name)) return name.replace(old, now);
  return name.replace(
    MASK_FCN,
    (_, dot: string, n: string, leaf: string) => `${dot}mask_head.${Number(n) - 1}.0.${leaf}`,
  );
}

/** Counters that batch norm keeps in PyTorch; nothing of ours reads them. */
export function isCounter(name: string): boolean {
  return name === 'num_batches_tracked' || name.endsWith('.num_batches_tracked');
}

/** Weights whose shape depends on the number of classes in torchvision's networks: for models that do not say it. */
export function isPredictor(name: string): boolean {
  return PREDICTOR.test(name);
}

const PREDICTOR =
  /(^|\.)(box_predictor\.(\d+\.)?(cls_score|bbox_pred)|mask_predictor\.mask_fcn_logits|keypoint_predictor\.kps_score_lowres|fc)\.(weight|bias)$/;
