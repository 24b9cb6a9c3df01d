import {
  besideModel,
  loadBackbone,
  loadStateDict,
  modelTensors,
  otherArchitecture,
  type TensorSource,
  type WeightsProfile,
} from '@rcnn/checkpoint';
import { type DownloadEvent, downloadReporter, loadPretrained, type Pretrained } from '@rcnn/checkpoint/node';
import type { Dataset } from '@rcnn/coco-data';
import { type BatchNormFactory, type Detector, Random } from '@rcnn/core';
import { counted, RcnnError } from '@rcnn/core/errors';
import { type Architecture, checkOptions, type ModelOptions, profileOf } from '@rcnn/models';
import { fixesSize } from '@rcnn/transforms';
import type { TrainConfig } from '../config/options.ts';
import type { Listener } from '../loop/events.ts';

/** A detector, and what whoever loads its weights must know. */
export interface BuiltModel {
  readonly model: Detector;
  readonly profile: WeightsProfile;
  /** What the weights that it began with say of their model; undefined when it began fresh. */
  readonly before?: Before | undefined;
}

/** What a model must know of the data that it learns from. */
export type DataFacts = Pick<Dataset, 'classes' | 'numKeypoints' | 'keypointScheme'>;

/** The same, and the norms that it is to have where they learn from batches. */
export type ModelFacts = DataFacts & { readonly batchNorm?: BatchNormFactory | undefined };

/** The model that a config describes, with weights where it names some. */
export async function buildModel(
  config: TrainConfig,
  architecture: Architecture,
  data: ModelFacts,
  onEvent: Listener,
): Promise<BuiltModel> {
  const { weightsBackbone: backbone } = config;
  if (backbone !== undefined) return fromBackbone(config, backbone, architecture, data, onEvent);
  if (config.weights === 'none') return freshModel(config, architecture, data);
  const checkpoint = await open(config.weights, config, onEvent);
  try {
    const { profile, weights, path } = checkpoint;
    tellBeside(weights, path, onEvent);
    const built = freshModel(config, architecture, data, profile);
    const own = architecture.ownNames?.(modelTensors(weights)) ?? weights;
    const { loaded, skipped } = await loadStateDict(built.model, own, { newPredictors: true }).catch(
      (error: unknown) => {
        built.model.dispose();
        throw otherArchitecture(error, path, profile, config.arch);
      },
    );
    const fresh =
      skipped.length === 0
        ? ''
        : `; ${counted(skipped.length, 'predictor tensor stays', 'predictor tensors stay')} fresh: the classes or key points differ`;
    onEvent({ kind: 'note', text: `${counted(loaded.length, 'tensor')} from ${path}${fresh}.` });
    return built;
  } finally {
    await checkpoint.close();
  }
}

/** A model with the body of a classifier; what is above it starts fresh. */
async function fromBackbone(
  config: TrainConfig,
  what: string,
  architecture: Architecture,
  data: ModelFacts,
  onEvent: Listener,
): Promise<BuiltModel> {
  if (config.weights !== 'none') {
    throw new RcnnError('CONFIG_INVALID', {
      where: 'config',
      place: 'weightsBackbone',
      problem: 'weights and weightsBackbone both say where to start',
      hint: 'Leave one of them out.',
    });
  }
  const checkpoint = await open(what, config, onEvent);
  try {
    const { profile, weights, path } = checkpoint;
    // The body's own settings hold; how the classifier resized its images says nothing of a detector's.
    const built = freshModel(config, architecture, data, profile && { options: profile.options });
    const { loaded } = await loadBackbone(built.model, weights).catch((error: unknown) => {
      built.model.dispose();
      throw error;
    });
    onEvent({
      kind: 'note',
      text: `${counted(loaded.length, 'tensor')} of the backbone from ${path}; the rest is new.`,
    });
    return built;
  } finally {
    await checkpoint.close();
  }
}

/** What weights expect of the model that takes them over. */
export type Before = Pick<WeightsProfile, 'options'> & Partial<Pick<WeightsProfile, 'input'>>;

/**
 * The model that a config describes, with first weights of its own.
 * @param before the profile of the weights that it is to take over
 */
export function freshModel(
  config: TrainConfig,
  architecture: Architecture,
  { classes, numKeypoints, keypointScheme, batchNorm }: ModelFacts,
  before?: Before,
): BuiltModel {
  const options = { ...ofWeights(architecture, before), ...config.model };
  const model = architecture.build({
    numClasses: classes.numClasses,
    numKeypoints: numKeypoints === 0 ? undefined : numKeypoints,
    options: checkOptions(architecture, options),
    input: before?.input,
    scoreThreshold: config.scoreThreshold,
    training: {
      fromNothing: config.weights === 'none' && config.weightsBackbone === undefined,
      resizes: !fixesSize(config.augment),
      batchNorm,
    },
    random: new Random(config.seed).fork('weights'),
  });
  const about = { source: '@rcnn/train', classes: classes.classes, keypoints: keypointScheme };
  return { model, profile: profileOf(architecture, model, options, about), before };
}

/** The options that weights depend on, as their file has them, but for those that each training chooses anew. */
function ofWeights({ weightOptions, chosenAnew = [] }: Architecture, profile: Before | undefined): ModelOptions {
  const options = Object.entries(profile?.options ?? {});
  return Object.fromEntries(options.filter(([name]) => weightOptions.includes(name) && !chosenAnew.includes(name)));
}

function tellBeside(weights: TensorSource, path: string, onEvent: Listener): void {
  for (const text of besideModel(weights)) onEvent({ kind: 'warning', text: `${path}: ${text}` });
}

/** Weights by name, file or address; the caller closes them. */
function open(what: string, { offline }: TrainConfig, onEvent: Listener): Promise<Pretrained> {
  return loadPretrained(what, { offline, onEvent: downloadListener(onEvent) });
}

/** Tells of a download in the words of every command. */
function downloadListener(onEvent: Listener): (event: DownloadEvent) => void {
  const report = downloadReporter((text) => onEvent({ kind: 'note', text }));
  return (event) => {
    if (event.kind === 'warning') onEvent({ kind: 'warning', text: `${event.path}: ${event.message}` });
    else report(event);
  };
}
