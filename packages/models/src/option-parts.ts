import { z } from 'zod';

/** A whole number of 1 or more. */
export const count = (): z.ZodNumber => z.number().int().min(1);

/**
 * How many stages of a backbone learn.
 * @param unless what happens when it is not said, for the help text
 * @param all how many there are. Default 5, a ResNet's
 */
export const trainableStages = (unless: string, all = 5): z.ZodType =>
  z
    .number()
    .int()
    .min(0)
    .max(all)
    .describe(`Stages of the backbone that learn, counted from the top; ${unless}`)
    .optional();

const sides = (about: string): z.ZodType =>
  z
    .union([count(), z.array(count()).min(1)])
    .describe(about)
    .optional();

/** What every detector on a ResNet has: how much of it learns, and the sides of images in pixels, their shape kept. */
export interface CommonOptions {
  readonly trainableStages?: number | undefined;
  readonly minSize?: number | readonly number[] | undefined;
  readonly trainMinSize?: number | readonly number[] | undefined;
  readonly maxSize?: number | undefined;
}

/** {@link CommonOptions}, to be spread into a schema. */
export const commonOptions: Readonly<Record<keyof CommonOptions, z.ZodType>> = {
  trainableStages: trainableStages('all of them without first weights, else 3'),
  minSize: sides('Shorter side of an image in pixels; of a list, one is drawn per image'),
  trainMinSize: sides('The same while training, for augmentation that shows parts of images; else minSize'),
  maxSize: count().describe('Longest allowed side in pixels').optional(),
};

/** @param more what else the help text says */
export const normEpsilon = (more = ''): z.ZodType =>
  z.number().min(0).describe(`Added to the variance in the backbone's norms${more}`).default(1e-5);

export const strideIn = (): z.ZodType =>
  z.enum(['3x3', '1x1']).describe("Which convolution of a bottleneck has its stage's stride").default('3x3');

/** Options of which some may not be set. */
export type Unset<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Without what is not set, so that defaults hold. */
export function defined<T extends object>(options: Unset<T>): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
