/** What stands beside a detector's backbone: of ours, torchvision's, detectron2's and mmdetection's. */
const BESIDE_BACKBONE =
  /^(?:rpn|roi_heads?|rpn_head|proposal_generator|neck|fpn|head|bbox_head|mask_head|proto_net|mask_feature_head|semantic_head|prediction_layers)\./;

/**
 * Where in a list of names detectors begin: prefixes under which a `backbone.` lies together with the parts that make a
 * detector of it. `['']` for the names of a detector alone.
 */
export function modelRoots(names: readonly string[]): readonly string[] {
  const backbones = new Set<string>();
  for (const name of names) {
    const at = /(?:^|\.)backbone\./.exec(name)?.index;
    if (at !== undefined) backbones.add(name.slice(0, at === 0 ? 0 : at + 1));
  }
  return [...backbones].filter((root) =>
    names.some((name) => name.startsWith(root) && BESIDE_BACKBONE.test(name.slice(root.length))),
  );
}
