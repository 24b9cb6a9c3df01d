import { type InputSpec, RcnnError } from '@rcnn/core';
import {
  fromFormerNames,
  type RetinaNetRecipe,
  type RetinaNetRecipeOptions,
  retinaNetClassesOf,
  retinaNetRecipeOf,
  retinaNetRecipes,
} from '@rcnn/retinanet';
import type { Architecture, BuildRequest } from '../architecture.ts';
import { defined } from '../option-parts.ts';
import { type RetinaNetModelOptions, retinaNetOptions } from './options.ts';

/** Every recipe of `@rcnn/retinanet`. */
export const retinaNetArchitectures: readonly Architecture[] = [...retinaNetRecipes].map(([name, recipe]) => {
  return retinaNet(name, recipe);
});

function retinaNet(name: string, recipe: RetinaNetRecipe): Architecture {
  return {
    name,
    about: 'boxes in one stage, by anchors and the focal loss',
    optionSchema: retinaNetOptions,
    weightOptions: ['detections', 'anchorSizes', 'normEpsilon', 'strideIn'],
    learnsFrom: [],
    build: (request) => recipe(recipeOptions(name, request)),
    recognise: (weights) => retinaNetRecipeOf(weights) === name,
    classesOf: retinaNetClassesOf,
    ownNames: fromFormerNames,
  };
}

/** Options in the words of the recipes; what is not set keeps the recipe's own value. */
function recipeOptions(name: string, { options, input, training, ...request }: BuildRequest): RetinaNetRecipeOptions {
  const { trainableStages, detections, ...own } = options as unknown as RetinaNetModelOptions;
  const fromNothing = training?.fromNothing === true;
  const set = {
    ...inputOptions(name, input),
    ...defined(own),
    scoreThresh: request.scoreThreshold,
    detectionsPerImg: request.detectionsPerImage ?? detections,
    numClasses: request.numClasses,
    random: request.random,
    resizeInTraining: training?.resizes,
    // Frozen norms pass published statistics on; without such weights they would pass on nothing, so they learn.
    norm: fromNothing ? ('batch' as const) : undefined,
    trainableStages: trainableStages ?? (fromNothing ? 5 : undefined),
  };
  return defined<RetinaNetRecipeOptions>(set);
}

/** How images are prepared for weights. @throws CHECKPOINT_MISMATCH for what these recipes do not do */
function inputOptions(name: string, input: InputSpec | undefined): RetinaNetRecipeOptions {
  if (input === undefined) return {};
  const { resize, sizeDivisor, mean, std, channelOrder } = input;
  if (resize.rule === 'torchvision') {
    return { minSize: resize.minSize, maxSize: resize.maxSize, sizeDivisor, mean, std, channelOrder };
  }
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: name,
    place: 'profile',
    problem: 'the weights expect what this recipe does not do',
    found: `images resized by the rule '${resize.rule}'`,
    expected: "torchvision's rule",
    hint: 'Build a RetinaNet with a transform of your own, and load it with loadStateDict.',
  });
}
