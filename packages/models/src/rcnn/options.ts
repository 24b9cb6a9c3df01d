import { z } from 'zod';

const count = (): z.ZodNumber => z.number().int().min(1);

/** What a person may set of an R-CNN; the last four are what weights depend on. */
export const rcnnOptions: z.ZodObject = z.strictObject({
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
  roisPerImage: count().describe('Regions per image on which the heads learn').optional(),
  proposals: count().describe('Proposals that are kept per image').optional(),
  normEpsilon: z
    .number()
    .min(0)
    .describe("Added to the variance in the backbone's norms; 0 for torchvision's first COCO weights")
    .default(1e-5),
  strideIn: z.enum(['3x3', '1x1']).describe("Which convolution of a bottleneck has its stage's stride").default('3x3'),
  maskPaste: z
    .enum(['torchvision', 'detectron2'])
    .describe('How masks of 28x28 come back to the image')
    .default('torchvision'),
  roiAlign: z
    .union([
      z.strictObject({ aligned: z.literal(false), samplingRatio: z.literal(2) }),
      z.strictObject({ aligned: z.literal(true), samplingRatio: z.literal(0) }),
    ])
    .describe("How regions are read: as torchvision does, or aligned as detectron2's weights want")
    .default({ aligned: false, samplingRatio: 2 }),
});

export interface RCNNModelOptions {
  readonly trainableStages?: number | undefined;
  readonly minSize?: number | readonly number[] | undefined;
  readonly maxSize?: number | undefined;
  readonly roisPerImage?: number | undefined;
  readonly proposals?: number | undefined;
  readonly normEpsilon: number;
  readonly strideIn: '3x3' | '1x1';
  readonly maskPaste: 'torchvision' | 'detectron2';
  readonly roiAlign: { readonly aligned: boolean; readonly samplingRatio: number };
}
