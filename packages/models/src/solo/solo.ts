import {
  fromOriginNames,
  type SOLORecipe,
  type SOLORecipeOptions,
  soloClassesOf,
  soloRecipeOf,
  soloRecipes,
} from '@rcnn/solo';
import type { Architecture, BuildRequest } from '../architecture.ts';
import { inputAsTorchvision } from '../input-parts.ts';
import { defined } from '../option-parts.ts';
import { type SOLOModelOptions, soloOptions } from './options.ts';

/** Every recipe of `@rcnn/solo`. */
export const soloArchitectures: readonly Architecture[] = [...soloRecipes].map(([name, recipe]) => solo(name, recipe));

function solo(name: string, recipe: SOLORecipe): Architecture {
  return {
    name,
    about: 'masks in one stage by where objects are, without boxes',
    optionSchema: soloOptions,
    weightOptions: ['grids', 'normEpsilon', 'strideIn'],
    build: (request) => recipe(recipeOptions(name, request)),
    recognise: (weights) => soloRecipeOf(weights) === name,
    classesOf: soloClassesOf,
    ownNames: fromOriginNames,
  };
}

/** Options in the words of the recipes; what is not set keeps the recipe's own value. */
function recipeOptions(name: string, { options, input, training, ...request }: BuildRequest): SOLORecipeOptions {
  const { trainableStages, ...own } = options as unknown as SOLOModelOptions;
  const fromNothing = training?.fromNothing === true;
  const set = {
    ...inputAsTorchvision(name, 'SOLO', input),
    ...defined(own),
    scoreThreshold: request.scoreThreshold,
    detectionsPerImage: request.detectionsPerImage,
    numClasses: request.numClasses,
    random: request.random,
    resizeInTraining: training?.resizes,
    // Frozen norms pass published statistics on; without such weights they would pass on nothing, so they learn.
    norm: fromNothing ? ('batch' as const) : undefined,
    batchNorm: training?.batchNorm,
    trainableStages: trainableStages ?? (fromNothing ? 5 : undefined),
  };
  return defined<SOLORecipeOptions>(set);
}
