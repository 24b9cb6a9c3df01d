import { z } from 'zod';
import { type CommonOptions, commonOptions, count, normEpsilon, strideIn } from '../option-parts.ts';

/** What a person may set of a RetinaNet; from `detections` on it is what travels with weights. */
export const retinaNetOptions: z.ZodObject = z.strictObject({
  ...commonOptions,
  detections: count().describe('Objects that are found in an image at most; else 300').optional(),
  anchorSizes: z
    .array(z.number().positive())
    .length(5)
    .describe(
      'Side of the smallest anchors on each level, finest first, in pixels of the resized image; else 32 to 512',
    )
    .optional(),
  normEpsilon: normEpsilon("; 0 for torchvision's first COCO weights"),
  strideIn: strideIn(),
});

export interface RetinaNetModelOptions extends CommonOptions {
  readonly detections?: number | undefined;
  readonly anchorSizes?: readonly number[] | undefined;
  readonly normEpsilon: number;
  readonly strideIn: '3x3' | '1x1';
}
