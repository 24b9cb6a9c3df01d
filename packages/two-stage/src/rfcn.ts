import type { Backbone, FeatureSpec, Phase, Pyramid } from '@rcnn/core';
import { PositionSensitiveHeads } from '@rcnn/roi-heads';
import { AnchorGenerator, RegionProposalNetwork, RPNHead, type RPNOutputs } from '@rcnn/rpn-anchors';
import { FasterRCNN } from './faster-rcnn.ts';
import { OneMap } from './one-map.ts';
import { detectorOf, given, type Recipe, type RecipeOptions, resnetOf } from './recipes.ts';

/** The first stage on the first of two maps: it proposes from what the last stage of the network has not yet changed. */
class FirstMapRPN extends RegionProposalNetwork {
  override forward(features: Pyramid, phase?: Phase): RPNOutputs {
    return super.forward(features.slice(0, 1), phase);
  }
}

/**
 * R-FCN on any ResNet whose last stage does not stride: proposals from the map before that stage, class and box from
 * position-sensitive score maps on the one after it. Boxes alone.
 * @see Dai et al. 2016 (arXiv:1605.06409)
 */
export const rfcnResnet: Recipe = (options = {}) => {
  const { numClasses = 91, fpnChannels = 1024, random } = options;
  const backbone: Backbone = new OneMap(resnetOf({ ...options, outputStages: [3, 4], dilatedStages: [4] }));
  const [first, last] = backbone.outputs as [FeatureSpec, FeatureSpec];
  const settings = { ...NUMBERS, ...given(options), numClasses };
  const { boxScoreThresh, boxNmsThresh, boxDetectionsPerImg, bboxRegWeights, boxMatcher } = settings;
  const roiHeads =
    options.roiHeads ??
    new PositionSensitiveHeads({
      boxScoreThresh,
      boxNmsThresh,
      boxDetectionsPerImg,
      bboxRegWeights,
      boxMatcher,
      inChannels: last.channels,
      stride: last.stride,
      channels: fpnChannels,
      numClasses,
      hardRegions: settings.boxBatchSizePerImage,
      random,
    });
  const rpnAnchorGenerator = options.rpnAnchorGenerator ?? new AnchorGenerator({ sizes: [[128, 256, 512]] });
  const anchors = rpnAnchorGenerator.anchorsPerCell[0]!;
  const rpnHead =
    options.rpnHead ?? new RPNHead(first.channels, anchors, { hiddenChannels: Math.min(512, fpnChannels), random });
  const rpn = options.rpn ?? new FirstMapRPN([first], { ...settings, rpnAnchorGenerator, rpnHead });
  return new FasterRCNN(backbone, { ...detectorOf({ ...settings, roiHeads }), rpn, roiHeads });
};

/** The authors' numbers where they differ from torchvision's. */
const NUMBERS = {
  rpnPreNmsTopNTrain: 6000,
  rpnPreNmsTopNTest: 6000,
  rpnPostNmsTopNTrain: 300,
  rpnPostNmsTopNTest: 300,
  boxBatchSizePerImage: 128, // of the 300, those with the highest losses
  boxNmsThresh: 0.3,
} as const satisfies RecipeOptions;
