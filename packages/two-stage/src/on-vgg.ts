import { VGG } from '@rcnn/backbone-vgg';
import { MultiScaleRoIAlign, RoIPool } from '@rcnn/roi-align';
import { AnchorGenerator, RPNHead } from '@rcnn/rpn-anchors';
import { FasterRCNN } from './faster-rcnn.ts';
import { MaskRCNN } from './mask-rcnn.ts';
import { OneMap } from './one-map.ts';
import { detectorOf, given, maskPartsOf, type Recipe, type RecipeOptions } from './recipes.ts';

/** Between two cells of the map: the fifth stage, before its pool. */
const STRIDE = 16;

/** torchvision's classifiers whose convolutions a detector can stand on. */
export type VGGName = 'vgg16' | 'vgg16_bn';

/**
 * Faster R-CNN as its paper has it: VGG-16, whose first two stages stay as they are, one map of stride 16 with anchors
 * of three sizes, regions cut out by RoIPool and read by two dense layers of 4096. There is no dropout between them;
 * torchvision's rules in everything else.
 * @see Ren et al. 2015 (arXiv:1506.01497)
 */
export const fasterRcnnVgg16: Recipe = (options) => fasterRcnnOn('vgg16', options);

/** The same with a norm after every convolution: what learns without first weights. */
export const fasterRcnnVgg16Bn: Recipe = (options) => fasterRcnnOn('vgg16_bn', options);

/** {@link fasterRcnnVgg16} with masks, whose regions are cut out by RoIAlign: a mask would notice RoIPool's rounding. */
export const maskRcnnVgg16: Recipe<MaskRCNN> = (options) => maskRcnnOn('vgg16', options);

/** The same with a norm after every convolution. */
export const maskRcnnVgg16Bn: Recipe<MaskRCNN> = (options) => maskRcnnOn('vgg16_bn', options);

/** Every recipe of this file by name. */
export const vggRecipes: readonly (readonly [name: string, recipe: Recipe])[] = [
  ['fasterrcnn_vgg16', fasterRcnnVgg16],
  ['fasterrcnn_vgg16_bn', fasterRcnnVgg16Bn],
  ['maskrcnn_vgg16', maskRcnnVgg16],
  ['maskrcnn_vgg16_bn', maskRcnnVgg16Bn],
];

function fasterRcnnOn(name: VGGName, options: RecipeOptions = {}): FasterRCNN {
  const backbone = bodyOf(name, options);
  return new FasterRCNN(backbone, detectorOf(settingsOf(backbone, options)));
}

function maskRcnnOn(name: VGGName, options: RecipeOptions = {}): MaskRCNN {
  const backbone = bodyOf(name, options);
  const settings = settingsOf(backbone, options);
  return new MaskRCNN(backbone, { ...detectorOf(settings), ...maskPartsOf(settings) });
}

function bodyOf(name: VGGName, { norm, batchNorm, trainableStages = 3, random }: RecipeOptions): OneMap {
  const chosen = norm === 'batch' ? 'batch' : 'frozen';
  return new OneMap(
    new VGG({ depth: 16, norm: name === 'vgg16' ? 'none' : chosen, batchNorm, trainableStages, random }),
  );
}

function settingsOf({ outputs }: OneMap, options: RecipeOptions): RecipeOptions {
  const inChannels = outputs[0]!.channels;
  const generator = options.rpnAnchorGenerator ?? new AnchorGenerator({ sizes: [[128, 256, 512]] });
  const [anchors = 0] = generator.anchorsPerCell;
  const pools = {
    boxRoiPool: new RoIPool({ outputSize: 7, stride: STRIDE }),
    maskRoiPool: new MultiScaleRoIAlign({ outputSize: 14, strides: [STRIDE] }),
  };
  return {
    boxFeatures: 4096,
    ...(options.roiHeads === undefined && pools),
    ...given(options),
    inChannels,
    rpnAnchorGenerator: generator,
    rpnHead: options.rpnHead ?? new RPNHead(inChannels, anchors, { random: options.random }),
  };
}

/** Which of them a file has, from the shape of each tensor of its body by name. */
export function vggNameOf(shapeAt: (name: string) => readonly number[] | undefined): VGGName | undefined {
  const isConvolution = (place: number): boolean => shapeAt(`features.${place}.weight`)?.length === 4;
  const isLast = (place: number, following: number): boolean => isConvolution(place) && !isConvolution(following);
  if (shapeAt('features.1.weight')?.length === 1) return isLast(40, 43) ? 'vgg16_bn' : undefined;
  return isLast(28, 30) ? 'vgg16' : undefined;
}
