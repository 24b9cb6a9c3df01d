import type { WeightsProfile } from '@rcnn/checkpoint';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
import type { Detector } from '@rcnn/core';
import { counted, RcnnError } from '@rcnn/core/errors';
import type { Architecture, LoadedDetector } from '@rcnn/models';
import type { CompileChoice } from '@rcnn/onnx';
import { weightsFile } from 'mask-rcnn/node';
import { note } from '../output/print.ts';
import { compiled } from './compiled.ts';
import { namedOrDefault } from './default-weights.ts';
import { isExported, openExported } from './exported.ts';

/** What a command may say of the model that it predicts with. */
export interface ModelFlags {
  readonly weights?: string;
  readonly arch?: string;
  readonly numClasses?: number;
  readonly minSize?: number;
  readonly maxSize?: number;
  readonly proposals?: number;
  readonly detections?: number;
  readonly scoreThreshold?: number;
  readonly offline?: boolean;
  readonly compile?: CompileChoice;
}

/** A model that predicts. */
export interface Predicting {
  readonly model: Detector;
  /** What it is, in a word. */
  readonly name: string;
  readonly profile: Pick<WeightsProfile, 'classes' | 'keypoints' | 'numClasses'> | undefined;
}

/** As {@link loadModel}, of exported models too. */
export async function loadPredicting(flags: ModelFlags, architectures?: readonly Architecture[]): Promise<Predicting> {
  const { weights, arch, numClasses, minSize, maxSize, proposals, scoreThreshold, detections } = flags;
  if (weights === undefined || !isExported(weights)) {
    const { model, architecture, profile } = await loadModel(flags, architectures);
    return { model: await compiled(model, flags.compile), name: architecture.name, profile };
  }
  const fixed = {
    '--arch': arch,
    '--num-classes': numClasses,
    '--min-size': minSize,
    '--max-size': maxSize,
    '--proposals': proposals,
  };
  const model = await openExported(weights, { scoreThreshold, detections, fixed });
  const { architecture = 'exported model', ...profile } = model.description;
  return { model, name: architecture, profile };
}

/** The model that the options name, or the one that is at hand. Says what it takes and what it fetches. */
export async function loadModel(flags: ModelFlags, architectures?: readonly Architecture[]): Promise<LoadedDetector> {
  const weights = namedOrDefault(flags.weights);
  const loaded = await load(weights, flags, architectures).catch((error: unknown) => {
    throw flags.weights === undefined ? withoutWeights(error) : error;
  });
  if (loaded.report.skipped.length === 0) return loaded;
  loaded.model.dispose();
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: weights,
    place: loaded.report.skipped[0]!,
    problem: 'the weights are for another number of classes',
    expected: counted(loaded.model.spec.numClasses, 'class', 'classes'),
    hint: 'Leave --num-classes out: the file knows it.',
  });
}

async function load(
  weights: string,
  flags: ModelFlags,
  architectures: readonly Architecture[] | undefined,
): Promise<LoadedDetector> {
  const { loadDetector } = await import('@rcnn/models/node');
  const { arch, numClasses, minSize, maxSize, proposals, detections, scoreThreshold, offline } = flags;
  const own = Object.entries({ minSize, maxSize, proposals }).filter(([, value]) => value !== undefined);
  return loadDetector(weightsFile(weights), {
    architectures,
    arch,
    numClasses,
    options: Object.fromEntries(own),
    detectionsPerImage: detections,
    scoreThreshold,
    ...(offline !== undefined && { offline }),
    onEvent: await tellOfDownload(),
  });
}

/** What happens to weights that come from elsewhere: nobody should download 170 MB unawares. */
export async function tellOfDownload(): Promise<(event: DownloadEvent) => void> {
  const { downloadReporter } = await import('@rcnn/checkpoint/node');
  return downloadReporter((line) => note(line));
}

/** Nobody asked for these weights, so the error of fetching them must say what they are for. */
function withoutWeights(error: unknown): unknown {
  const { code } = error as Partial<RcnnError>;
  if (!(error instanceof Error) || (code !== 'DOWNLOAD_FAILED' && code !== 'OFFLINE')) return error;
  const { where, place, expected, found } = error as RcnnError;
  return new RcnnError(code, {
    where,
    ...(place !== undefined && { place }),
    ...(found !== undefined && { found }),
    ...(expected !== undefined && { expected }),
    problem: 'no weights are named, no run is here, and the published weights cannot be fetched',
    hint:
      'Name weights that you have with --weights (a run folder, a .pth or .safetensors file), train a model with ' +
      "'mask-rcnn train', or try again with a network.",
    cause: error,
  });
}
