import { requireDigest } from '@rcnn/checkpoint';
import { engineModels, type ModelOpener, RcnnError, whyNoModels } from '@rcnn/core';
import { OnnxDetector } from '@rcnn/onnx';
import { fetchBlob } from './fetch-blob.ts';
import type { LoadOptions, Weights } from './load.ts';
import type { DetectorOfPhotos } from './photo-detector.ts';

/** With what every ONNX model begins: its first field, a number. */
const ONNX = 0x08;
/** `{`, the ninth byte of every safetensors file, whose first eight are a length and may begin with any byte. */
const BRACE = 0x7b;

/** Whether this is a model that `mask-rcnn export` may have written: by its name, or by its first bytes. */
export async function isExported(what: Weights): Promise<boolean> {
  if (typeof what === 'string') return /\.onnx(?:[?#]|$)/i.test(what);
  if (what instanceof URL) return /\.onnx$/i.test(what.pathname);
  const head = what instanceof Blob ? new Uint8Array(await what.slice(0, 9).arrayBuffer()) : bytesIn(what);
  return head[0] === ONNX && head[8] !== BRACE;
}

function bytesIn(what: Uint8Array | ArrayBuffer): Uint8Array {
  return what instanceof Uint8Array ? what : new Uint8Array(what);
}

/**
 * The bytes of an exported model behind an address, which may state their digest as those of weights do.
 * @param received told the share that has come, 0 to 1
 * @throws DOWNLOAD_FAILED, DIGEST_MISMATCH, INVALID_ARGUMENT for a bad digest
 */
export async function fetchExported(url: URL, received: (share: number) => void): Promise<Uint8Array> {
  const file = await fetchBlob(url, 'the model', received);
  await requireDigest(file, url);
  return new Uint8Array(await file.arrayBuffer());
}

/**
 * An exported model as something to predict with.
 * @throws FILE_MALFORMED, CHECKPOINT_MISMATCH; INVALID_ARGUMENT for what the file has fixed; ENGINE_CANNOT_COMPILE
 */
export async function openExported(bytes: Uint8Array, name: string, options: LoadOptions): Promise<DetectorOfPhotos> {
  const { arch, options: own, scoreThreshold, detectionsPerImage } = options;
  for (const [place, value] of Object.entries({ arch, options: own }))
    if (value !== undefined) throw fixed(name, place);
  const open = options.openModel ?? engineModels() ?? cannotRun(name);
  const model = await OnnxDetector.open(bytes, open, { name, scoreThreshold, detectionsPerImage });
  const { description: profile } = model;
  return { model, architecture: { name: profile.architecture ?? 'exported model' }, profile };
}

function fixed(where: string, place: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', {
    where,
    place,
    problem: 'an exported model has this fixed',
    hint: 'Say it when you export the model.',
  });
}

function cannotRun(where: string): ModelOpener {
  const why = whyNoModels();
  throw new RcnnError('ENGINE_CANNOT_COMPILE', {
    where,
    problem: 'the engine in use does not run exported models',
    ...(why !== undefined && { found: why }),
    hint: "Take the engine onnxruntime, or say by 'models' (in a browser) or 'openModel' what runs them.",
  });
}
