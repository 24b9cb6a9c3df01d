import type { InputSpec } from '@rcnn/core';
import {
  fromAuthorsNames,
  type YOLACTRecipe,
  type YOLACTRecipeOptions,
  yolactClassesOf,
  yolactRecipeOf,
  yolactRecipes,
} from '@rcnn/yolact';
import type { Architecture, BuildRequest } from '../architecture.ts';
import { otherInput } from '../input-parts.ts';
import { defined } from '../option-parts.ts';
import { type YOLACTModelOptions, yolactOptions, yolactPlusOptions } from './options.ts';

/** Every recipe of `@rcnn/yolact`. */
export const yolactArchitectures: readonly Architecture[] = [...yolactRecipes].map(([name, recipe]) => {
  return yolact(name, recipe);
});

function yolact(name: string, recipe: YOLACTRecipe): Architecture {
  const isPlus = name.startsWith('yolact_plus_');
  return {
    name,
    about: isPlus ? 'boxes and masks in one stage, the masks rated' : 'boxes and masks in one stage, for speed',
    optionSchema: isPlus ? yolactPlusOptions : yolactOptions,
    weightOptions: ['imageSize', 'priorScales', 'squarePriors', 'normEpsilon'],
    build: (request) => recipe(recipeOptions(name, request)),
    recognise: (weights) => yolactRecipeOf(weights) === name,
    classesOf: yolactClassesOf,
    ownNames: fromAuthorsNames,
  };
}

/** Options in the words of the recipes; what is not set keeps the recipe's own value. */
function recipeOptions(name: string, { options, input, training, ...request }: BuildRequest): YOLACTRecipeOptions {
  const { trainableStages, imageSize, priorScales, squarePriors, normEpsilon } =
    options as unknown as YOLACTModelOptions;
  const set = {
    ...inputOptions(name, input),
    ...(imageSize !== undefined && { imageSize }),
    priorScales,
    squarePriors,
    normEpsilon,
    trainableStages: trainableStages ?? 5,
    scoreThreshold: request.scoreThreshold,
    secondThreshold: request.scoreThreshold === undefined ? undefined : true, // it asks for the least score of what is found
    detectionsPerImage: request.detectionsPerImage,
    numClasses: request.numClasses,
    random: request.random,
    // Frozen norms pass published statistics on; without such weights they would pass on nothing, so they learn.
    norm: training?.fromNothing === true ? 'batch' : undefined,
    batchNorm: training?.batchNorm,
  } as const;
  return defined<YOLACTRecipeOptions>(set);
}

/** How images are prepared for weights. @throws CHECKPOINT_MISMATCH for what these recipes do not do */
function inputOptions(name: string, input: InputSpec | undefined): YOLACTRecipeOptions {
  if (input === undefined) return {};
  const { resize, mean, std, channelOrder } = input;
  if (resize.rule === 'fixed' && resize.size[0] === resize.size[1]) {
    return { imageSize: resize.size[0], mean, std, channelOrder };
  }
  throw otherInput(name, 'YOLACT', input, "the rule 'fixed', to a square");
}
