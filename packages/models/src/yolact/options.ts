import { z } from 'zod';
import { normEpsilon, trainableStages } from '../option-parts.ts';

/** What a person may set of a YOLACT; weights depend on all but the first. */
export const yolactOptions: z.ZodObject = z.strictObject({
  trainableStages: trainableStages('all of them unless told otherwise'),
  imageSize: z
    .number()
    .int()
    .min(32)
    .describe('Side of the square that every image is squeezed to, in pixels')
    .optional(),
  priorScales: z
    .array(z.number().positive())
    .length(5)
    .describe("Sides of the priors on each level, finest first, in pixels of the squeezed image; else the recipe's own")
    .optional(),
  squarePriors: z
    .boolean()
    .describe("Whether all priors are squares, as the authors' first weights expect")
    .default(true),
  normEpsilon: normEpsilon(),
});

/** The same for YOLACT++, whose priors are not squares. */
export const yolactPlusOptions: z.ZodObject = yolactOptions.extend({
  squarePriors: z.boolean().describe('Whether all priors are squares').default(false),
});

export interface YOLACTModelOptions {
  readonly trainableStages?: number | undefined;
  readonly imageSize?: number | undefined;
  readonly priorScales?: readonly number[] | undefined;
  readonly squarePriors: boolean;
  readonly normEpsilon: number;
}
