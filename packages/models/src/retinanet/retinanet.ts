import {
  fromFormerNames,
  type RetinaNetRecipe,
  type RetinaNetRecipeOptions,
  retinaNetClassesOf,
  retinaNetRecipeOf,
  retinaNetRecipes,
} from '@rcnn/retinanet';
import type { Architecture, BuildRequest } from '../architecture.ts';
import { inputAsTorchvision } from '../input-parts.ts';
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
    ...inputAsTorchvision(name, 'RetinaNet', input),
    ...defined(own),
    scoreThresh: request.scoreThreshold,
    detectionsPerImg: request.detectionsPerImage ?? detections,
    numClasses: request.numClasses,
    random: request.random,
    resizeInTraining: training?.resizes,
    // Frozen norms pass published statistics on; without such weights they would pass on nothing, so they learn.
    norm: fromNothing ? ('batch' as const) : undefined,
    batchNorm: training?.batchNorm,
    trainableStages: trainableStages ?? (fromNothing ? 5 : undefined),
  };
  return defined<RetinaNetRecipeOptions>(set);
}
