import { Conv2d, type FeatureSpec } from '@rcnn/core';
import { HTCHeads, SemanticBranch } from '@rcnn/htc';
import { FastRCNNPredictor, MaskRCNNHeads, MaskRCNNPredictor, TwoFCHead } from '@rcnn/roi-heads';
import { pyramidRoIAlign } from './faster-rcnn.ts';
import type { RecipeOptions } from './recipes.ts';

/**
 * The second stage of Hybrid Task Cascade, to be handed to a detector as `roiHeads`.
 * @param outputs of the backbone
 * @see Chen et al. 2019 (arXiv:1901.07518)
 */
export function htcHeads(
  outputs: readonly FeatureSpec[],
  options: RecipeOptions & { readonly numClasses: number },
): HTCHeads {
  const { numClasses, boxFeatures: outFeatures = 1024, semanticClasses = numClasses, random } = options;
  const inChannels = outputs[0]!.channels;
  const { maskChannels = Array.from({ length: 4 }, () => inChannels) } = options;
  const outChannels = maskChannels.at(-1) ?? inChannels;
  const stages = (options.cascadeIouThresholds ?? [0.5, 0.6, 0.7]).map((_, k) => ({
    boxes: {
      head: new TwoFCHead({ inChannels, outFeatures, random }),
      predictor: new FastRCNNPredictor(outFeatures, numClasses, { classAgnostic: true, random }),
    },
    masks: {
      head: new MaskRCNNHeads({ inChannels, channels: maskChannels, random }),
      predictor: new MaskRCNNPredictor(outChannels, numClasses, { channels: inChannels, random }),
      flow: k === 0 ? undefined : new Conv2d(outChannels, inChannels, { kernelSize: 1, activation: 'relu', random }),
    },
  }));
  const semantic =
    semanticClasses === 0
      ? undefined
      : new SemanticBranch({ inChannels, levels: outputs.length, numClasses: semanticClasses, random });
  const parts = {
    boxPool: options.boxRoiPool ?? pyramidRoIAlign(outputs, 7),
    boxes: stages.map(({ boxes }) => boxes),
    maskPool: options.maskRoiPool ?? pyramidRoIAlign(outputs, 14),
    masks: stages.map(({ masks }) => masks),
    semantic,
  };
  return new HTCHeads(parts, options);
}
