import type { z } from 'zod';
import type { ModelOptions } from './architecture.ts';
import { rcnnOptions } from './rcnn/options.ts';

/** What a named training preset chooses of the model, where that is not the usual one. */
export interface PresetModel {
  readonly arch?: string;
  /** Options for it; those that another architecture lacks are left out there. */
  readonly model?: ModelOptions;
}

/** By the name of the preset. */
export const presetModels: Readonly<Record<string, PresetModel>> = {
  balloon: { model: { roisPerImage: 128, minSize: [640, 672, 704, 736, 768, 800] } }, // detectron2's notebook
  few: { model: { trainableStages: 3, minSize: 384, maxSize: 640, roisPerImage: 128, proposals: 500 } },
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
  },
  quick: { arch: 'maskrcnn_small' },
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
