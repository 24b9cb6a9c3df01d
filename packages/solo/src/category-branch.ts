import { Conv2d, constant, type Initialiser } from '@rcnn/core';
import { FIRST_WEIGHTS, type TowerOptions } from './conv-tower.ts';

/** Of every hundred cells one is taken to have an object at first, so that the loss of the others does not drown it. */
export const RARE: Initialiser = constant(-Math.log((1 - 0.01) / 0.01)); // Lin et al. 2017, section 4.1

/** The last layer of the category branch: `[N, S, S, C]` to logits of every class but the background. */
export function categoryLayer({ channels, random }: TowerOptions, numClasses: number): Conv2d {
  const settings = { kernelSize: 3, initialiser: FIRST_WEIGHTS, biasInitialiser: RARE, random };
  return new Conv2d(channels, numClasses - 1, settings);
}
