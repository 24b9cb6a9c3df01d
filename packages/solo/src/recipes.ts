import { ResNet, type ResNetName, type ResNetOptions, resnets, smallBody } from '@rcnn/backbone-resnet';
import { type Initialiser, kaimingNormal, type Random } from '@rcnn/core';
import { ImageTransform, type ImageTransformOptions } from '@rcnn/detector';
import { BackboneWithFPN, poolExtra } from '@rcnn/fpn';
import type { LocationHead } from './head.ts';
import { type GridLevel, gridLevels, LEVELS } from './levels.ts';
import { SOLO, type SOLOOptions } from './solo.ts';
import { DecoupledSOLOHead, SOLOHead } from './solo-heads.ts';
import { SOLOv2Head } from './solov2-head.ts';

/** What the recipes take: numbers of the detector and the shape of the network. What is not set is as published. */
export interface SOLORecipeOptions
  extends SOLOOptions,
    ImageTransformOptions,
    Pick<
      ResNetOptions,
      'blocks' | 'planes' | 'stemChannels' | 'norm' | 'normEpsilon' | 'batchNorm' | 'strideIn' | 'trainableStages'
    > {
  /** Default 81: the 80 classes of COCO's boxes and masks, with the background. */
  readonly numClasses?: number | undefined;
  /** Default `resnet50`. */
  readonly body?: ResNetName | undefined;
  /** Channels of the pyramid. Default 256. */
  readonly fpnChannels?: number | undefined;
  /** Width of the branches of the heads. Default 512 for SOLOv2, else 256. */
  readonly headChannels?: number | undefined;
  /** Convolutions of each of them. Default 4 for SOLOv2, else 7. */
  readonly headDepth?: number | undefined;
  /** SOLOv2: groups of the norms of the head. Default 32. */
  readonly headGroups?: number | undefined;
  /** SOLOv2: first weights of the convolutions before them. Default normal with deviation 0.01. */
  readonly headInitialiser?: Initialiser | undefined;
  /** SOLOv2: width of the mask feature branch. Default 128. */
  readonly maskChannels?: number | undefined;
  /** SOLOv2: channels of the mask features. Default 256. */
  readonly kernelLength?: number | undefined;
  /** Cells on each side of the grid, level by level. Default 40, 36, 24, 16, 12. */
  readonly grids?: readonly number[] | undefined;
  /**
   * Square root of the area of the objects of each level, in pixels of the batch. Default 1 to 96, 48 to 192, 96 to 384,
   * 192 to 768, 384 to 2048.
   */
  readonly scaleRanges?: readonly (readonly [from: number, to: number])[] | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** A recipe: options in, a detector with fresh weights out. */
export type SOLORecipe = (options?: SOLORecipeOptions) => SOLO;

/** SOLOv2 on any ResNet, with an FPN. */
export const soloV2ResnetFpn: SOLORecipe = (options = {}) =>
  build(options, (common) => {
    const { headChannels: channels, headDepth: depth, maskChannels, kernelLength } = options;
    const { headGroups: groups, headInitialiser: initialiser } = options;
    return new SOLOv2Head({ ...common, channels, depth, groups, initialiser, maskChannels, kernelLength });
  });

/** Decoupled SOLO on any ResNet, with an FPN. */
export const decoupledSoloResnetFpn: SOLORecipe = (options = {}) =>
  build(options, (common) => {
    const { headChannels: channels, headDepth: depth } = options;
    return new DecoupledSOLOHead({ ...common, channels, depth });
  });

/** SOLO on any ResNet, with an FPN. */
export const soloResnetFpn: SOLORecipe = (options = {}) =>
  build(options, (common) => {
    const { headChannels: channels, headDepth: depth } = options;
    return new SOLOHead({ ...common, channels, depth });
  });

/**
 * A SOLOv2 that trains on a CPU while you watch: one block in each stage, narrow heads, small images. Everything learns,
 * from random weights.
 */
export const soloV2Small: SOLORecipe = (options) => soloV2ResnetFpn({ ...SMALL, ...options });

/** Every recipe by the name under which architectures are known. */
export const soloRecipes: ReadonlyMap<string, SOLORecipe> = new Map<string, SOLORecipe>([
  ...(Object.keys(resnets) as ResNetName[]).flatMap((body): [string, SOLORecipe][] => [
    [`solov2_${body}_fpn`, (options) => soloV2ResnetFpn({ ...options, body })],
    [`decoupled_solo_${body}_fpn`, (options) => decoupledSoloResnetFpn({ ...options, body })],
    [`solo_${body}_fpn`, (options) => soloResnetFpn({ ...options, body })],
  ]),
  ['solov2_small', soloV2Small],
]);

/**
 * The finest two levels answer for objects up to three quarters of a small image, and no grid is finer than its map: on
 * the 8x8 cells of P4 two neighbors of 30 pixels would be one. The head learns from nothing, as that of the small RetinaNet
 * does: first weights as He et al. 2015 draw them, and norms of eight channels instead of two.
 */
const SMALL = {
  ...smallBody,
  fpnChannels: 64,
  headChannels: 64,
  headDepth: 2,
  headGroups: 8,
  headInitialiser: kaimingNormal('fanIn'),
  maskChannels: 64,
  kernelLength: 64,
  minSize: 128,
  maxSize: 192,
  grids: [16, 14, 8, 6, 4],
  scaleRanges: [
    [1, 48],
    [24, 96],
    [64, 192],
    [128, 384],
    [256, 2048],
  ],
} as const satisfies SOLORecipeOptions;

interface HeadSettings {
  readonly numClasses: number;
  readonly inChannels: number;
  readonly levels: readonly GridLevel[];
  readonly random: Random | undefined;
}

/** In this order: the layers of the body draw their first weights before those of the head. */
function build(options: SOLORecipeOptions, makeHead: (settings: HeadSettings) => LocationHead): SOLO {
  const { numClasses = 81, fpnChannels = 256, random } = options;
  const { grids = LEVELS.map(({ grid }) => grid), scaleRanges = LEVELS.map(({ range }) => range) } = options;
  const backbone = backboneOf(options);
  const levels = gridLevels(grids, scaleRanges);
  const head = makeHead({ numClasses, inChannels: fpnChannels, levels, random });
  return new SOLO({ transform: new ImageTransform(options), backbone, head }, options);
}

function backboneOf({ body = 'resnet50', fpnChannels = 256, random, ...options }: SOLORecipeOptions): BackboneWithFPN {
  const { blocks, planes, stemChannels, norm = 'frozen', normEpsilon, batchNorm, strideIn } = options;
  const { trainableStages = 3 } = options;
  const network = new ResNet({
    ...resnets[body],
    ...(blocks && { blocks }),
    ...(planes && { planes }),
    ...(stemChannels && { stemChannels }),
    norm,
    normEpsilon,
    batchNorm,
    strideIn,
    trainableStages,
    random,
  });
  return new BackboneWithFPN(network, { outChannels: fpnChannels, extra: poolExtra, random });
}
