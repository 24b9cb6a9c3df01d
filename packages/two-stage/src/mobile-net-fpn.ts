import { MobileNet } from '@rcnn/backbone-mobilenet';
import { normFactory } from '@rcnn/backbone-resnet';
import { BackboneWithFPN, poolExtra } from '@rcnn/fpn';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import { FasterRCNN } from './faster-rcnn.ts';
import { MaskRCNN } from './mask-rcnn.ts';
import { detectorOf, given, maskPartsOf, type Recipe, type RecipeOptions } from './recipes.ts';

/** Blocks that torchvision's detectors read: the two last stages, both of stride 32. */
const LAST_TWO = [13, 16] as const;

const ALL_SIZES = [32, 64, 128, 256, 512] as const;

/**
 * torchvision's Faster R-CNN on MobileNetV3 large: a pyramid of two maps of stride 32 and a pooled one, anchors of all
 * sizes on each. Regions are read from the first map.
 */
export const fasterRcnnMobileNetV3LargeFpn: Recipe = (options = {}) => {
  const backbone = pyramidOf(options, LAST_TWO);
  const { stride } = backbone.outputs[0]!;
  return new FasterRCNN(
    backbone,
    detectorOf({
      rpnScoreThresh: 0.05,
      rpnAnchorGenerator: new AnchorGenerator({ sizes: backbone.outputs.map(() => ALL_SIZES) }),
      boxRoiPool:
        options.roiHeads === undefined ? new MultiScaleRoIAlign({ outputSize: 7, strides: [stride] }) : undefined,
      ...given(options),
    }),
  );
};

/** The same for images of 320 to 640 pixels. */
export const fasterRcnnMobileNetV3Large320Fpn: Recipe = (options) =>
  fasterRcnnMobileNetV3LargeFpn({ ...SMALL_IMAGES, ...given(options) });

/**
 * Mask R-CNN on MobileNetV3 large. Masks want finer maps than torchvision's detectors on it have: the pyramid stands on
 * the last block of every stride, from 4 to 32, and all else is as with a ResNet.
 */
export const maskRcnnMobileNetV3LargeFpn: Recipe<MaskRCNN> = (options = {}) =>
  new MaskRCNN(pyramidOf(options), { ...detectorOf(options), ...maskPartsOf(options) });

/** The same for browsers and phones: images of 320 to 640 pixels, 150 proposals, 128 channels from the pyramid on. */
export const maskRcnnMobileNetV3Large320Fpn: Recipe<MaskRCNN> = (options) =>
  maskRcnnMobileNetV3LargeFpn({ ...SMALL_IMAGES, fpnChannels: 128, ...given(options) });

/** torchvision's numbers for small images. */
const SMALL_IMAGES = {
  minSize: 320,
  maxSize: 640,
  rpnPreNmsTopNTest: 150,
  rpnPostNmsTopNTest: 150,
  rpnScoreThresh: 0.05,
} as const satisfies RecipeOptions;

/** A MobileNetV3 large with an FPN; of the usual blocks, unless others are named. */
function pyramidOf(options: RecipeOptions, outputBlocks?: readonly number[]): BackboneWithFPN {
  const { norm: wanted = 'frozen', normEpsilon = 1e-5, trainableStages = 3, fpnChannels = 256, random } = options;
  const norm = normFactory(wanted, normEpsilon, options.batchNorm);
  const body = new MobileNet({ norm, normEpsilon, outputBlocks, trainableStages, random });
  return new BackboneWithFPN(body, { outChannels: fpnChannels, extra: poolExtra, random });
}
