import { normFactory, ResNet, type ResNetName, type ResNetOptions, resnets, smallBody } from '@rcnn/backbone-resnet';
import { GroupNorm, type Initialiser, kaimingNormal, type NormFactory, type Random } from '@rcnn/core';
import { ImageTransform, type ImageTransformOptions, type ModelTransform } from '@rcnn/detector';
import { BackboneWithFPN, p6p7Extra } from '@rcnn/fpn';
import { AnchorGenerator, type AnchorSource } from '@rcnn/rpn-anchors';
import { RetinaNet, type RetinaNetOptions } from './retinanet.ts';
import { RetinaNetHead } from './retinanet-head.ts';

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
>;

/** What the recipes take: numbers of the detector and the shape of the network. What is not set is as published. */
export interface RetinaNetRecipeOptions extends RetinaNetOptions, ImageTransformOptions, BodyOptions {
  /** Default 91: COCO's, with the background. */
  readonly numClasses?: number | undefined;
  /** Default `resnet50`. */
  readonly body?: ResNetName | undefined;
  /**
   * 1: frozen norm in the body, P6 from P5, boxes learnt by their deltas. 2: batch norm, group norm in the head, P6 from
   * C5, boxes learnt by their overlap. Default 1.
   */
  readonly version?: 1 | 2 | undefined;
  /** Channels of the pyramid and the head. Default 256. */
  readonly fpnChannels?: number | undefined;
  /** Convolutions of each branch of the head. Default 4. */
  readonly headDepth?: number | undefined;
  /** The norm after each of them. Default group norm in version 2, none in version 1. */
  readonly headNorm?: NormFactory | undefined;
  /** Their first weights. Default normal with deviation 0.01. */
  readonly headInitialiser?: Initialiser | undefined;
  /**
   * Side of the smallest anchors on each level, in pixels; each comes three times on the way to its double, in three
   * shapes. Default 32 to 512.
   */
  readonly anchorSizes?: readonly number[] | undefined;
  /** Instead of an `ImageTransform`. */
  readonly transform?: ModelTransform | undefined;
  /** Instead of those of `anchorSizes`. */
  readonly anchors?: AnchorSource | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** A recipe: options in, a detector with fresh weights out. */
export type RetinaNetRecipe = (options?: RetinaNetRecipeOptions) => RetinaNet;

/** RetinaNet on any ResNet, with a pyramid of five levels: on C3 to C5 unless `outputStages` says otherwise. */
export const retinaNetResnetFpn: RetinaNetRecipe = (options = {}) => {
  const { numClasses = 91, version = 1, fpnChannels = 256, headDepth: depth, random } = options;
  const { anchors = anchorsOf(options.anchorSizes ?? SIZES), boxLoss = version === 2 ? 'giou' : 'l1' } = options;
  const backbone = new BackboneWithFPN(bodyOf(options), {
    outChannels: fpnChannels,
    extra: p6p7Extra(version === 2 ? 'input' : 'output'),
    random,
  });
  const { headNorm: norm = version === 2 ? normFactory('group', 1e-5) : undefined, headInitialiser } = options;
  const [anchorsPerCell] = anchors.anchorsPerCell as [number];
  const head = new RetinaNetHead({
    inChannels: fpnChannels,
    anchorsPerCell,
    numClasses,
    depth,
    norm,
    initialiser: headInitialiser,
    random,
  });
  const transform = options.transform ?? new ImageTransform(options);
  return new RetinaNet({ transform, backbone, anchors, head }, { ...options, boxLoss });
};

export const retinaNetResnet50Fpn: RetinaNetRecipe = (options) =>
  retinaNetResnetFpn({ ...options, body: 'resnet50', version: 1 });
export const retinaNetResnet50FpnV2: RetinaNetRecipe = (options) =>
  retinaNetResnetFpn({ ...options, body: 'resnet50', version: 2 });

/**
 * A RetinaNet that trains on a CPU while you watch: one block in each stage, a narrow and shallow head, small images and
 * anchors. Everything learns, from random weights.
 */
export const retinaNetSmall: RetinaNetRecipe = (options) => retinaNetResnetFpn({ ...SMALL, ...options });

/** Every recipe by torchvision's name, the same pattern for the other networks, and `retinanet_small`. */
export const retinaNetRecipes: ReadonlyMap<string, RetinaNetRecipe> = new Map<string, RetinaNetRecipe>([
  ...(Object.keys(resnets) as ResNetName[]).flatMap((body): [string, RetinaNetRecipe][] => [
    [`retinanet_${body}_fpn`, (options) => retinaNetResnetFpn({ ...options, body, version: 1 })],
    [`retinanet_${body}_fpn_v2`, (options) => retinaNetResnetFpn({ ...options, body, version: 2 })],
  ]),
  ['retinanet_small', retinaNetSmall],
]);

const SIZES = [32, 64, 128, 256, 512] as const;

/**
 * The pyramid stands on C2 to C4: in an image of 128 pixels an object of 25 is three cells of C3 wide. The smallest anchors
 * of a level are four of its cells wide, as published. The published first weights of the head are for 256 channels and a
 * body that knows objects: at 64 a layer would hand on a sixth of what it gets. Those of He et al. 2015 hand on all of it,
 * and norms keep it so while everything learns at once.
 */
const SMALL = {
  ...smallBody,
  outputStages: [1, 2, 3],
  fpnChannels: 64,
  headDepth: 2,
  headNorm: (channels: number): GroupNorm => new GroupNorm(channels, { groups: 8 }),
  headInitialiser: kaimingNormal('fanIn'),
  minSize: 128,
  maxSize: 192,
  anchorSizes: [16, 32, 64, 96, 128],
} as const satisfies RetinaNetRecipeOptions;

/** Three sides on each level, in whole pixels, cut off as torchvision does. */
function anchorsOf(sizes: readonly number[]): AnchorGenerator {
  return new AnchorGenerator({
    sizes: sizes.map((size) => [0, 1, 2].map((i) => (i === 0 ? size : Math.trunc(size * 2 ** (i / 3))))),
  });
}

function bodyOf(options: RetinaNetRecipeOptions): ResNet {
  const { body = 'resnet50', version = 1, random } = options;
  const { blocks, planes, stemChannels, norm, normEpsilon, batchNorm, strideIn, trainableStages } = options;
  const { outputStages } = options;
  const all = { blocks, planes, stemChannels, norm, normEpsilon, batchNorm, strideIn, trainableStages, outputStages };
  const set = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as BodyOptions;
  const usual = { norm: version === 2 ? 'batch' : 'frozen', trainableStages: 3, outputStages: [2, 3, 4] } as const;
  return new ResNet({ ...resnets[body], ...usual, ...set, random });
}
