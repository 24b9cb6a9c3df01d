import { ResNet, type ResNetName, type ResNetOptions, resnets, smallBody } from '@rcnn/backbone-resnet';
import { xavierUniform } from '@rcnn/core';
import { BackboneWithFPN, p6p7Extra } from '@rcnn/fpn';
import { paperScales, YOLACT, type YOLACTOptions } from './yolact.ts';

type BodyOptions = Pick<
  ResNetOptions,
  | 'blocks'
  | 'planes'
  | 'stemChannels'
  | 'norm'
  | 'normEpsilon'
  | 'batchNorm'
  | 'strideIn'
  | 'trainableStages'
  | 'outputStages'
  | 'deformableStages'
  | 'deformableInterval'
>;

/** Numbers and parts of the detector, and the shape of the network. */
export interface YOLACTRecipeOptions extends Partial<YOLACTOptions>, BodyOptions {
  /** Default 81: COCO's 80 classes without gaps, and the background. */
  readonly numClasses?: number;
  /** The backbone. Default `resnet50`. */
  readonly body?: ResNetName | undefined;
  /** Channels of the pyramid, the head and the prototypes' network. Default 256. */
  readonly fpnChannels?: number | undefined;
}

/** Options in, a model with fresh weights out. Draws from `random` (default the stream of `seedLayers`). */
export type YOLACTRecipe = (options?: YOLACTRecipeOptions) => YOLACT;

/**
 * YOLACT on any ResNet: C3 to C5 unless `outputStages` says otherwise, and a pyramid of five levels with the authors'
 * ReLUs. Frozen norms, all else learns.
 */
export const yolactResnetFpn: YOLACTRecipe = (options = {}) => {
  const { body = 'resnet50', fpnChannels = 256, numClasses = 81, random } = options;
  const network = new ResNet({ ...resnets[body], outputStages: [2, 3, 4], ...bodyOptions(options), random });
  const backbone = new BackboneWithFPN(network, {
    outChannels: fpnChannels,
    topDown: 'bilinear',
    activation: 'relu',
    initialiser: xavierUniform(),
    extra: p6p7Extra('output', { relu: false }),
    random,
  });
  return new YOLACT(backbone, { ...options, numClasses });
};

export const yolactResnet50Fpn: YOLACTRecipe = (options) => yolactResnetFpn({ ...options, body: 'resnet50' });
export const yolactResnet101Fpn: YOLACTRecipe = (options) => yolactResnetFpn({ ...options, body: 'resnet101' });

/**
 * A YOLACT that trains on a CPU while you watch: one block in each stage, narrow heads, small images, priors for objects
 * that are large in them. Everything learns, from random weights.
 */
export const yolactSmall: YOLACTRecipe = (options = {}) => {
  const { imageSize = 128 } = options;
  const priorScales = SMALL_SCALES.map((scale) => scale * imageSize);
  return yolactResnetFpn({ ...SMALL, imageSize, priorScales, ...options });
};

/**
 * YOLACT++ on any ResNet: deformable convolutions in the bottlenecks of C3 to C5 (every third in ResNet-101, none in
 * networks of basic blocks or of groups), three sides of priors on each level that are not squares, and masks that are
 * rated.
 * @see Bolya et al. 2019 (arXiv:1912.06218)
 */
export const yolactPlusResnetFpn: YOLACTRecipe = (options = {}) => {
  const { body = 'resnet50', imageSize, priorScales = paperScales(imageSize) } = options;
  const { block, groups = 1 } = resnets[body];
  const deformable = block === 'bottleneck' && groups === 1;
  return yolactResnetFpn({
    squarePriors: false,
    maskRescoring: true,
    ...(deformable && { deformableStages: [2, 3, 4], deformableInterval: body === 'resnet101' ? 3 : 1 }),
    ...options,
    priorScales: priorScales.map((scale) => (typeof scale === 'number' ? threeOf(scale) : scale)),
  });
};

/** A side, and two more on the way to its double. */
const threeOf = (scale: number): number[] => [0, 1, 2].map((third) => scale * 2 ** (third / 3));

/** A YOLACT++ that trains on a CPU while you watch: as {@link yolactSmall}, its masks rated by fewer convolutions. */
export const yolactPlusSmall: YOLACTRecipe = (options = {}) => {
  const { imageSize = 128 } = options;
  const priorScales = SMALL_SCALES.map((scale) => scale * imageSize);
  return yolactPlusResnetFpn({ ...SMALL, imageSize, priorScales, maskRescoring: [8, 16, 32], ...options });
};

/**
 * The pyramid stands on C2 to C4: in an image of 128 pixels an object of 25 is three cells of C3 wide, too few to tell a
 * circle from a square by, or to draw a mask on.
 */
const SMALL = {
  ...smallBody,
  outputStages: [1, 2, 3],
  fpnChannels: 64,
} as const satisfies YOLACTRecipeOptions;

/** Sides of priors as shares of the image: from four cells of a level on, so that their centers are close enough to match. */
const SMALL_SCALES = [0.14, 0.25, 0.42, 0.64, 0.88] as const;

/** Every recipe by name: `yolact_resnet50_fpn`, `yolact_plus_resnet50_fpn`, the same for the other networks, and the small ones. */
export const yolactRecipes: ReadonlyMap<string, YOLACTRecipe> = new Map<string, YOLACTRecipe>([
  ...(Object.keys(resnets) as ResNetName[]).map((body): [string, YOLACTRecipe] => [
    `yolact_${body}_fpn`,
    (options) => yolactResnetFpn({ ...options, body }),
  ]),
  ...(Object.keys(resnets) as ResNetName[]).map((body): [string, YOLACTRecipe] => [
    `yolact_plus_${body}_fpn`,
    (options) => yolactPlusResnetFpn({ ...options, body }),
  ]),
  ['yolact_small', yolactSmall],
  ['yolact_plus_small', yolactPlusSmall],
]);

function bodyOptions(options: YOLACTRecipeOptions): BodyOptions {
  const { blocks, planes, stemChannels, norm, normEpsilon, batchNorm, strideIn } = options;
  const { trainableStages, outputStages, deformableStages, deformableInterval } = options;
  const ofStages = { trainableStages, outputStages, deformableStages, deformableInterval };
  const all = { blocks, planes, stemChannels, norm, normEpsilon, batchNorm, strideIn, ...ofStages };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as BodyOptions;
}
