import { type ActiveEngine, engineModels, isRcnnError, type PixelImage } from '@rcnn/core';
import { CompiledDetector } from '@rcnn/onnx';
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

/** A detector, and what it was made of. */
interface Loaded {
  readonly weights: ChosenWeights;
  readonly engine: ActiveEngine;
  readonly detector: PhotoDetector;
}

/** Weights and an engine that find objects. The model is loaded when it is needed, and again when either is changed. */
export class Finder {
  #loaded: Loaded | undefined;
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
      const opened = await this.#engine(engine);
      const detector = await this.#open(weights, opened, onProgress);
      const begin = performance.now();
      const objects = await detector(image, { scoreThreshold: LEAST_SCORE }).catch((error: unknown) => {
        return this.#withoutGraphs(error, image);
      });
      const seconds = (performance.now() - begin) / 1000;
      return { objects, seconds, engine: this.#said(opened) };
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Graphs that fail while they run, as on a GPU that is lost, are left for the engine alone. */
  async #withoutGraphs(error: unknown, image: PixelImage): Promise<FoundObjects> {
    const { weights, engine, detector } = this.#loaded!;
    if (isRcnnError(error) || !isCompiled(detector)) throw error;
    detector.dispose();
    this.#loaded = undefined;
    const plain = await load(weights.from, { scoreThreshold: LEAST_SCORE, compile: 'off' });
    this.#loaded = { weights, engine, detector: plain };
    return plain(image, { scoreThreshold: LEAST_SCORE });
  }

  /** What looked at the picture, in words. */
  #said({ name, device, models, whyNoModels }: ActiveEngine): string {
    if (models !== undefined && isCompiled(this.#loaded!.detector)) return models;
    return `${name} (${device})${whyNoModels === undefined ? '' : `, as onnxruntime-web cannot be used: ${whyNoModels}`}`;
  }

  /** Looked for once, as long as the choice stays and no training has taken another. */
  async #engine(choice: EngineChoice): Promise<ActiveEngine> {
    const engine = this.#opened?.choice === choice ? this.#opened.engine : undefined;
    const hasModels = engine?.models === undefined || engineModels() !== undefined;
    const isCurrent = engine !== undefined && engine.name === tf.getBackend() && hasModels;
    if (!isCurrent) this.#opened = { choice, engine: await openEngine(choice, 'predict') };
    return this.#opened!.engine;
  }

  async #open(
    weights: ChosenWeights,
    engine: ActiveEngine,
    onProgress: (share: number) => void,
  ): Promise<PhotoDetector> {
    if (this.#loaded?.weights === weights && this.#loaded.engine === engine) return this.#loaded.detector;
    this.#loaded?.detector.dispose();
    this.#loaded = undefined;
    // The engine that is in use stays; classes and their names come with the weights.
    const detector = await load(weights.from, { scoreThreshold: LEAST_SCORE, onProgress });
    this.#loaded = { weights, engine, detector };
    return detector;
  }
}

/** Whether it predicts by whole graphs. */
function isCompiled({ model }: PhotoDetector): boolean {
  return model instanceof CompiledDetector && model.isCompiled;
}
