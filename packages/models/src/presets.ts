import type { z } from 'zod';
import type { ModelOptions } from './architecture.ts';
import { rcnnOptions } from './rcnn/options.ts';

/** What a named training preset chooses of the model, where that is not the usual one. */
export interface PresetModel {
  readonly arch?: string;
  /** Options for it; those that another architecture lacks are left out there. */
  readonly model?: ModelOptions;
  /** Learning rates by architecture, of those that learn better at another one than the preset's. */
  readonly rates?: Readonly<Record<string, number>>;
  /** Why each value is what it is, in a sentence, by its name; `model.minSize` for options. */
  readonly why: Readonly<Record<string, string>>;
}

/** By the name of the preset. */
export const presetModels: Readonly<Record<string, PresetModel>> = {
  // detectron2's notebook
  balloon: {
    model: { roisPerImage: 128, minSize: [640, 672, 704, 736, 768, 800] },
    why: {
      'model.roisPerImage': 'A photograph with a handful of objects has no 512 regions worth learning from.',
      'model.minSize': 'Objects at several sizes stand in for photographs that are not there.',
    },
  },
  few: {
    model: {
      trainableStages: 3,
      trainMinSize: 384,
      minSize: 800,
      maxSize: 1333,
      anchorSizes: [16, 32, 64, 128, 256],
      roisPerImage: 128,
      proposals: 500,
    },
    why: {
      'model.trainableStages': 'Stem and first stage see edges and colors, which few photographs cannot teach better.',
      'model.trainMinSize': 'Half of the usual side costs a quarter, and parts of pictures show small objects large.',
      'model.minSize': 'In a whole picture objects are as large again as in the parts that were learnt.',
      'model.maxSize': "The usual limit of the usual size: torchvision's.",
      'model.anchorSizes': 'Whole pictures are among those of 384 pixels, with objects half as large as usual.',
      'model.roisPerImage': 'A handful of objects has no 512 regions worth learning from.',
      'model.proposals': 'The second stage costs by the proposal, and few objects need few of them.',
    },
  },
  'many-small': {
    model: {
      trainableStages: 3,
      minSize: 512,
      maxSize: 860,
      anchorSizes: [8, 16, 32, 64, 128],
      detections: 300,
      roisPerImage: 256,
      proposals: 1000,
    },
    why: {
      'model.trainableStages': 'Stem and first stage see edges, which are the same under a microscope.',
      'model.minSize': 'Small objects are enlarged: below 8 pixels a mask of 28x28 has nothing to say.',
      'model.maxSize': 'Keeps pictures of 3:5 whole and bounds what strips cost.',
      'model.anchorSizes':
        'The usual smallest anchor of 32 pixels covers an object of 12 so badly that it counts as background.',
      'model.detections':
        'Pictures have more objects than the usual 100; COCO counts 100 of them, people want them all.',
      'model.roisPerImage': 'Dozens of objects give that many regions to learn from; 512 would be the same ones again.',
      'model.proposals': 'One proposal is not enough for each of hundreds of objects: some are spent on neighbours.',
    },
  },
  quick: {
    arch: 'maskrcnn_small',
    // A head that learns from every cell at once bears twice the rate: mask AP50 of .868 on 60 drawn pictures after 1,050
    // steps of it, where 750 at the usual rate gave .776.
    rates: { yolact_small: 2e-3, yolact_plus_small: 2e-3, solov2_small: 2e-3, retinanet_small: 2e-3 },
    why: {
      arch: 'One block in each stage and narrow heads: a step takes a fraction of a second.',
    },
  },
};

/** Options of the model that were options of the training once, under their names of then. */
export interface FormerOptions {
  readonly trainableLayers?: number;
  readonly minSize?: number | readonly number[];
  readonly maxSize?: number;
  readonly roisPerImage?: number;
  readonly proposals?: number;
}

/** Where they are now, inside `model`. */
export const formerOptions: Readonly<Record<keyof FormerOptions, string>> = {
  trainableLayers: 'trainableStages',
  minSize: 'minSize',
  maxSize: 'maxSize',
  roisPerImage: 'roisPerImage',
  proposals: 'proposals',
};

/** The same for a schema: as they are checked today, marked as deprecated. */
export const formerShape: z.ZodRawShape = Object.fromEntries(
  Object.entries(formerOptions).map(([name, now]) => {
    const option = rcnnOptions.shape[now] as z.ZodType;
    return [name, option.meta({ description: `Former name of model.${now}`, deprecated: true })];
  }),
);
