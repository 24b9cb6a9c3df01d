import { z } from 'zod';
import { type CommonOptions, commonOptions, count, normEpsilon, strideIn } from '../option-parts.ts';

/** What a person may set of a SOLO; weights depend on the last three. */
export const soloOptions: z.ZodObject = z.strictObject({
  ...commonOptions,
  scaleRanges: z
    .array(z.tuple([z.number().min(0), z.number().positive()]))
    .length(5)
    .describe('Square root of the area of the objects of each level, from and to, in pixels; they may overlap')
    .optional(),
  grids: z.array(count()).length(5).describe("Cells on each side of the levels' grids").optional(),
  normEpsilon: normEpsilon(),
  strideIn: strideIn(),
});

export interface SOLOModelOptions extends CommonOptions {
  readonly scaleRanges?: readonly (readonly [number, number])[] | undefined;
  readonly grids?: readonly number[] | undefined;
  readonly normEpsilon: number;
  readonly strideIn: '3x3' | '1x1';
}
