import { blobSource, bytesSource, type Checkpoint, openCheckpoint } from '@rcnn/checkpoint';
import {
  type EngineName,
  isEngineName,
  type ModelOpener,
  RcnnError,
  type UseEngineOptions,
  useEngine,
} from '@rcnn/core';
import { type Architecture, detectorFromCheckpoint, type FromCheckpointOptions } from '@rcnn/models';
import { type CompileChoice, compileAs } from '@rcnn/onnx';
import * as tf from '@tensorflow/tfjs-core';
import { isExported, openExported } from './exported.ts';
import type { PhotoReader } from './photo.ts';
import { leastScore, type MaskPhotoDetector, type PhotoDetector, photoDetector } from './photo-detector.ts';
import { Progress } from './progress.ts';

/** Where weights are: a published name, a path, a run folder, an address, or the bytes of a file. */
export type Weights = string | URL | Blob | ArrayBuffer | Uint8Array;

/** Published weights whose detectors find masks. */
export type MaskWeights = `maskrcnn_resnet50_fpn${'' | '_v2'}${'' | '.COCO_V1'}`;

export interface LoadOptions extends Omit<FromCheckpointOptions, 'scoreThreshold' | 'numClasses'>, EngineChoice {
  /** Told the share of the work that is done, from 0 to 1; only ever higher numbers, the last one is 1. */
  readonly onProgress?: ((share: number) => void) | undefined;
  /** Objects of a lower score are left out, unless a call says otherwise. Default 0.5. */
  readonly scoreThreshold?: number | undefined;
  /** Architectures beside those of this toolkit go in here; default those alone. */
  readonly architectures?: readonly Architecture[] | undefined;
  /** Never use the network for weights. Node only. Default false. */
  readonly offline?: boolean | undefined;
  /**
   * Whether to predict by whole graphs with constant weights: `auto` where model and engine allow it and it is quicker.
   * Default auto.
   */
  readonly compile?: CompileChoice | undefined;
  /** What runs exported models, and compiled graphs. Default the engine in use, if it can. */
  readonly openModel?: ModelOpener | undefined;
  /** The folder in which downloaded weights are kept. Node only. Default the user's cache folder. */
  readonly cache?: string | undefined;
}

/** On which engine to compute. */
interface EngineChoice extends Pick<UseEngineOptions, 'loaders' | 'threads' | 'models'> {
  /** Default: the engine that is in use already, else `auto`. */
  readonly engine?: EngineName | 'auto' | undefined;
}

/**
 * A detector that takes pictures: `const detector = await load('maskrcnn_resnet50_fpn')`, then
 * `await detector('photo.jpg')`. Finds its engine by itself, and downloads published weights once.
 */
export interface Load {
  (what: MaskWeights, options?: LoadOptions): Promise<MaskPhotoDetector>;
  (what: Weights, options?: LoadOptions): Promise<PhotoDetector>;
}

/** What loading needs of the place where the program runs. */
export interface Host extends PhotoReader {
  /** The checkpoint under a name, path or address; `received` is told the share of it that has come. */
  fetch(what: string | URL, options: LoadOptions, received: (share: number) => void): Promise<Checkpoint>;
  /** The bytes of a file under a path or address. */
  bytes(what: string | URL, options: LoadOptions, received: (share: number) => void): Promise<Uint8Array>;
}

/** Most of the time goes into fetching; building and loading are the rest. */
const FETCHED = 0.95;

/** {@link Load} for one place. */
export function loadOn(host: Host): Load {
  const load = async (what: Weights, options: LoadOptions = {}): Promise<PhotoDetector> => {
    const {
      scoreThreshold,
      onProgress,
      engine: _,
      loaders: __,
      threads: ___,
      models: ____,
      offline: _____,
      cache: ______,
      compile: when = 'auto',
      openModel: open,
      ...settings
    } = options;
    const least = leastScore(scoreThreshold);
    const progress = new Progress(onProgress);
    const source = bytesOf(what);
    const engine = await chooseEngine(options); // before anything is downloaded for it
    const received = (share: number): void => progress.reach(FETCHED * share);
    if (await isExported(what)) {
      const bytes = await exportedBytes(what, host, options, received);
      const found = await openExported(bytes, source?.name ?? String(what), options);
      progress.reach(1);
      return photoDetector(found, host, { engine, scoreThreshold });
    }
    const checkpoint = await (source === undefined
      ? host.fetch(what as string | URL, options, received)
      : openCheckpoint(source));
    try {
      received(1);
      const loaded = await detectorFromCheckpoint(checkpoint, { ...settings, scoreThreshold: least });
      progress.reach(1);
      const model = compileAs(loaded.model, when, { open });
      return photoDetector({ ...loaded, model }, host, { engine, scoreThreshold });
    } finally {
      await checkpoint.close();
    }
  };
  return load as Load;
}

async function exportedBytes(
  what: Weights,
  host: Host,
  options: LoadOptions,
  received: (share: number) => void,
): Promise<Uint8Array> {
  if (typeof what === 'string' || what instanceof URL) return host.bytes(what, options, received);
  if (what instanceof Blob) return new Uint8Array(await what.arrayBuffer());
  return what instanceof Uint8Array ? what : new Uint8Array(what);
}

function bytesOf(what: Weights): ReturnType<typeof blobSource> | undefined {
  if (typeof what === 'string' ? what !== '' : what instanceof URL) return undefined;
  if (what instanceof Blob) return blobSource(what);
  if (what instanceof Uint8Array || what instanceof ArrayBuffer) return bytesSource(what);
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'load',
    place: 'what',
    problem: 'this names no weights',
    found: what === '' ? 'an empty text' : what === null ? 'null' : typeof what,
    expected: "a published name such as 'maskrcnn_resnet50_fpn', a file, a run folder, a URL, or the bytes of a file",
  });
}

/**
 * An engine that the program has chosen stays: changing it would pull tensors from under others. What is to run whole
 * models beside it is opened for it all the same.
 */
async function chooseEngine({ engine, loaders, threads, models }: EngineChoice): Promise<string> {
  const current = tf.engine().backendName;
  const stays = engine === undefined && current;
  if (stays && !(models !== undefined && isEngineName(current))) return current;
  const wanted = stays ? (current as EngineName) : (engine ?? 'auto');
  const { name } = await useEngine(wanted, {
    ...(loaders && { loaders }),
    ...(threads && { threads }),
    ...(models && { models }),
  });
  return name;
}
