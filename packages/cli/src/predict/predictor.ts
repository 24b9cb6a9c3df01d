import { type ClassMap, type CocoResult, cocoResults, type ImageId, Uncategorized } from '@rcnn/coco-data';
import type { Detection, PixelImage } from '@rcnn/core';
import type { Skeleton } from '@rcnn/visualize';
import type { Finder } from './finder.ts';
import { slicedDetect } from './slices.ts';
import { inWords, SHOWN_FROM } from './words.ts';

export interface PredictorOptions {
  readonly classes: ClassMap | undefined;
  /** Pairs of key points that a line joins in pictures. */
  readonly skeleton?: Skeleton | undefined;
  readonly maskThreshold: number;
  /** What is drawn and counted. Default {@link SHOWN_FROM}; results for programs hold all that the model gives. */
  readonly scoreThreshold: number | undefined;
  /** Look at slices of so many pixels too. */
  readonly slice: number | undefined;
  readonly overlap: number;
}

/** What was found in one image, for programs, for pictures and in words. */
export interface Found {
  readonly results: readonly CocoResult[];
  readonly shown: readonly Detection[];
  readonly words: string;
}

/** A model with everything that turns its detections into answers. */
export class Predictor {
  readonly names: ReadonlyMap<number, string>;
  readonly skeleton: Skeleton | undefined;
  /** What results lack, of all images so far. */
  readonly uncategorized: Uncategorized = new Uncategorized();
  readonly #model: Finder;
  readonly #options: PredictorOptions;

  constructor(model: Finder, options: PredictorOptions) {
    this.#model = model;
    this.#options = options;
    this.skeleton = options.skeleton;
    this.names = new Map((options.classes?.classes ?? []).map(({ label, name }) => [label, name]));
  }

  async find(image: PixelImage, id: ImageId): Promise<Found> {
    const { classes, maskThreshold, scoreThreshold = SHOWN_FROM, slice, overlap } = this.#options;
    const model = slice === undefined ? this.#model : { detect: slicedDetect(this.#model, { side: slice, overlap }) };
    const detections = (await model.detect([image], { maskThreshold }))[0]!;
    const shown = detections.filter(({ score }) => score >= scoreThreshold);
    this.uncategorized.add(detections, classes);
    return { results: cocoResults(detections, id, classes, 'written'), shown, words: inWords(shown, this.names) };
  }
}
