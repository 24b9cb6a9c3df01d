import type { ActiveEngine, PixelImage } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { load, type PhotoDetector } from 'mask-rcnn';
import { type EngineChoice, openEngine } from './engine.ts';

/** Weights that were chosen: a file, or where they are on the web. */
export interface ChosenWeights {
  readonly name: string;
  readonly from: Blob | string;
}

export type FoundObjects = Awaited<ReturnType<PhotoDetector>>;

export interface Findings {
  readonly objects: FoundObjects;
  readonly seconds: number;
  /** What computed, in words. */
  readonly engine: string;
}

/** Objects of a lower score are never shown: the page has a slider from here on. */
const LEAST_SCORE = 0.05;

/** Weights and an engine that find objects. The model is loaded when it is needed, and again when either is changed. */
export class Finder {
  #loaded: { readonly weights: ChosenWeights; readonly detector: PhotoDetector } | undefined;
  #opened: { readonly choice: EngineChoice; readonly engine: ActiveEngine } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Finds the objects of a picture, after those that were asked for before. */
  find(
    image: PixelImage,
    weights: ChosenWeights,
    engine: EngineChoice,
    onProgress: (share: number) => void,
  ): Promise<Findings> {
    const done = this.#turn.then(async () => {
      const { name, device } = await this.#engine(engine);
      const detector = await this.#open(weights, name, onProgress);
      const begin = performance.now();
      const objects = await detector(image, { scoreThreshold: LEAST_SCORE });
      return { objects, seconds: (performance.now() - begin) / 1000, engine: `${name} (${device})` };
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Looked for once, as long as the choice stays and no training has taken another. */
  async #engine(choice: EngineChoice): Promise<ActiveEngine> {
    const isCurrent = this.#opened?.choice === choice && this.#opened.engine.name === tf.getBackend();
    if (!isCurrent) this.#opened = { choice, engine: await openEngine(choice, 'predict') };
    return this.#opened!.engine;
  }

  async #open(weights: ChosenWeights, engine: string, onProgress: (share: number) => void): Promise<PhotoDetector> {
    if (this.#loaded?.weights === weights && this.#loaded.detector.engine === engine) return this.#loaded.detector;
    this.#loaded?.detector.dispose();
    this.#loaded = undefined;
    // The engine that is in use stays; classes and their names come with the weights.
    const detector = await load(weights.from, { scoreThreshold: LEAST_SCORE, onProgress });
    this.#loaded = { weights, detector };
    return detector;
  }
}
