import { z } from 'zod';
import { type CommonOptions, commonOptions, count, normEpsilon, strideIn, trainableStages } from '../option-parts.ts';

/** Levels of the pyramid that the RPN looks at: P2 to P6. */
const LEVELS = 5;

/** What a person may set of an R-CNN; from `detections` on it is what travels with weights. */
export const rcnnOptions: z.ZodObject = z.strictObject({
  ...commonOptions,
  roisPerImage: count().describe('Regions per image on which the heads learn').optional(),
  proposals: count().describe('Proposals that are kept per image').optional(),
  detections: count().describe('Objects that are found in an image at most; else 100').optional(),
  anchorSizes: z
    .array(z.number().positive())
    .length(LEVELS)
    .describe('Sides of the anchors on each level, finest first, in pixels of the resized image; else 32 to 512')
    .optional(),
  normEpsilon: normEpsilon("; 0 for torchvision's first COCO weights"),
  strideIn: strideIn(),
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

/** The same for detectors on one map: they have no levels of anchors, and read regions in one way alone. */
export const singleMapOptions: z.ZodObject = rcnnOptions.omit({ anchorSizes: true, roiAlign: true });

/** The same for Hybrid Task Cascades: they read regions and lay masks in mmdetection's way alone. */
export const htcOptions: z.ZodObject = rcnnOptions.omit({ maskPaste: true, roiAlign: true }).extend({
  semanticClasses: z
    .number()
    .int()
    .min(0)
    .describe("Kinds of places that the semantic branch tells apart; 0 for no such branch; else the objects' own")
    .optional(),
});

/** On a MobileNet, which has no bottlenecks, and a stage more. */
const onMobileNet = {
  trainableStages: trainableStages('all of them without first weights, else 3', 6),
};

/** Masks on a MobileNet, with the usual pyramid. */
export const mobileNetOptions: z.ZodObject = rcnnOptions.omit({ strideIn: true }).extend(onMobileNet);

/** Boxes on a MobileNet, as in torchvision: one map to read regions from, anchors of all sizes on each. */
export const mobileNetBoxOptions: z.ZodObject = singleMapOptions.omit({ strideIn: true }).extend(onMobileNet);

/** On a VGG, which has no bottlenecks, and norms of one kind or none. */
export const vggOptions: z.ZodObject = singleMapOptions.omit({ strideIn: true, normEpsilon: true });

export interface RCNNModelOptions extends CommonOptions {
  readonly roisPerImage?: number | undefined;
  readonly proposals?: number | undefined;
  readonly detections?: number | undefined;
  readonly anchorSizes?: readonly number[] | undefined;
  readonly normEpsilon?: number | undefined;
  readonly strideIn?: '3x3' | '1x1' | undefined;
  readonly maskPaste?: 'torchvision' | 'detectron2' | undefined;
  readonly semanticClasses?: number | undefined;
  readonly roiAlign?: { readonly aligned: boolean; readonly samplingRatio: number } | undefined;
}
