import { z } from 'zod';

const count = (): z.ZodNumber => z.number().int().min(1);

/** What a person may set of a SOLO; weights depend on the last three. */
export const soloOptions: z.ZodObject = z.strictObject({
  trainableStages: z
    .number()
    .int()
    .min(0)
    .max(5)
    .describe('Stages of the backbone that learn, counted from the top; all of them without first weights, else 3')
    .optional(),
  minSize: z
    .union([count(), z.array(count()).min(1)])
    .describe('Shorter side of an image in pixels; of a list, one is drawn per image')
    .optional(),
  maxSize: count().describe('Longest allowed side in pixels').optional(),
  scaleRanges: z
    .array(z.tuple([z.number().min(0), z.number().positive()]))
    .length(5)
    .describe('Square root of the area of the objects of each level, from and to, in pixels; they may overlap')
    .optional(),
  grids: z.array(count()).length(5).describe("Cells on each side of the levels' grids").optional(),
  normEpsilon: z.number().min(0).describe("Added to the variance in the backbone's norms").default(1e-5),
  strideIn: z.enum(['3x3', '1x1']).describe("Which convolution of a bottleneck has its stage's stride").default('3x3'),
});

export interface SOLOModelOptions {
  readonly trainableStages?: number | undefined;
  readonly minSize?: number | readonly number[] | undefined;
  readonly maxSize?: number | undefined;
  readonly scaleRanges?: readonly (readonly [number, number])[] | undefined;
  readonly grids?: readonly number[] | undefined;
  readonly normEpsilon: number;
  readonly strideIn: '3x3' | '1x1';
}
