import type { JsonValue } from '@rcnn/checkpoint';
import type { TargetExtra } from '@rcnn/core';
import {
  architectureOf,
  classesOf,
  keypointsOf,
  mobileNetStages,
  optionsForWeights,
  type Recipe,
  type RecipeOptions,
  architectures as recipes,
} from '@rcnn/two-stage';
import type { Architecture, BuildRequest } from '../architecture.ts';
import { defined, type Unset } from '../option-parts.ts';
import {
  htcOptions,
  mobileNetBoxOptions,
  mobileNetOptions,
  type RCNNModelOptions,
  rcnnOptions,
  singleMapOptions,
  vggOptions,
} from './options.ts';

/** How many regions the second stage looks at: with others the same weights find a little else, and have other losses. */
const REGIONS = ['proposals', 'roisPerImage'] as const;

/** Every recipe of `@rcnn/two-stage`, by torchvision's name. */
export const rcnnArchitectures: readonly Architecture[] = [...recipes].map(([name, recipe]) => rcnn(name, recipe));

function rcnn(name: string, recipe: Recipe): Architecture {
  return {
    name,
    about: aboutOf(name),
    ...optionsOf(name),
    chosenAnew: REGIONS,
    learnsFrom: learnsFrom(name),
    build: (request) => recipe(recipeOptions(name, request)),
    recognise: (weights) => architectureOf(weights) === name,
    classesOf,
    keypointsOf,
  };
}

function optionsOf(name: string): Pick<Architecture, 'optionSchema' | 'weightOptions'> {
  if (isMobile(name)) return optionsOnMobileNet(name);
  const ofAll = [...REGIONS, 'detections', 'normEpsilon', 'strideIn'];
  if (isVGG(name)) return { optionSchema: vggOptions, weightOptions: [...REGIONS, 'detections', 'maskPaste'] };
  if (isHTC(name)) return { optionSchema: htcOptions, weightOptions: [...ofAll, 'anchorSizes', 'semanticClasses'] };
  const onOneMap = /^rfcn_|_(?:c4|dc5|c5|c5_voc)$/.test(name);
  return {
    optionSchema: onOneMap ? singleMapOptions : rcnnOptions,
    weightOptions: [...ofAll, 'maskPaste', ...(onOneMap ? [] : ['anchorSizes', 'roiAlign'])],
  };
}

function optionsOnMobileNet(name: string): Pick<Architecture, 'optionSchema' | 'weightOptions'> {
  const masks = name.startsWith('maskrcnn');
  return {
    optionSchema: masks ? mobileNetOptions : mobileNetBoxOptions,
    weightOptions: [
      ...REGIONS,
      'detections',
      'normEpsilon',
      'maskPaste',
      ...(masks ? ['anchorSizes', 'roiAlign'] : []),
    ],
  };
}

function isMobile(name: string): boolean {
  return name.includes('_mobilenet_');
}

function isVGG(name: string): boolean {
  return name.includes('_vgg16');
}

function isHTC(name: string): boolean {
  return name.startsWith('htc_');
}

function aboutOf(name: string): string {
  if (name.startsWith('cascade_rcnn')) return 'boxes, refined in three stages';
  if (name.startsWith('cascade')) return 'boxes and masks, the boxes refined in three stages';
  if (isHTC(name)) return 'boxes and masks, both refined in three stages';
  if (name.startsWith('pointrend')) return 'boxes in two stages, masks drawn point by point';
  if (name.startsWith('rfcn')) return 'boxes by what each cell would be a part of';
  if (name.startsWith('keypointrcnn')) return 'boxes and key points in two stages';
  return name.startsWith('maskrcnn') ? 'boxes and masks in two stages' : 'boxes in two stages';
}

function learnsFrom(name: string): readonly TargetExtra[] {
  if (name.startsWith('keypointrcnn')) return ['keypoints'];
  return /^(?:fasterrcnn|cascade_rcnn|rfcn)/.test(name) ? [] : ['masks'];
}

/** Options in the words of the recipes; what is not set keeps the recipe's own value. */
function recipeOptions(name: string, request: BuildRequest): RecipeOptions {
  const { options, training, numClasses, numKeypoints, random } = request;
  const own = options as unknown as RCNNModelOptions;
  const { detections, anchorSizes, normEpsilon, strideIn, maskPaste } = own;
  const roiAlign = isHTC(name) ? { aligned: true, samplingRatio: 0 } : own.roiAlign;
  const weightOptions = defined<Record<string, JsonValue>>({
    detections,
    anchorSizes: anchorSizes && [...anchorSizes],
    normEpsilon,
    strideIn,
    maskPaste,
    roiAlign: roiAlign && { ...roiAlign },
  });
  const set: Unset<RecipeOptions> = {
    ...optionsForWeights({ source: name, options: weightOptions, input: request.input }),
    ...defined({ minSize: own.minSize, trainMinSize: own.trainMinSize, maxSize: own.maxSize }),
    boxBatchSizePerImage: own.roisPerImage,
    rpnPostNmsTopNTrain: own.proposals,
    rpnPostNmsTopNTest: own.proposals,
    semanticClasses: own.semanticClasses,
    boxScoreThresh: request.scoreThreshold,
    boxDetectionsPerImg: request.detectionsPerImage ?? detections,
    numClasses,
    numKeypoints,
    random,
  };
  if (training === undefined) return defined(set);
  const { fromNothing, resizes, batchNorm } = training;
  const all = isMobile(name) ? mobileNetStages : 5;
  return defined({
    ...set,
    resizeInTraining: resizes,
    // Frozen norms pass published statistics on; without such weights they would pass on nothing, so they learn.
    norm: fromNothing ? 'batch' : undefined,
    batchNorm,
    trainableStages: own.trainableStages ?? (fromNothing ? all : 3), // torchvision's defaults
  });
}
