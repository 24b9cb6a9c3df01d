import { loadBackbone, loadStateDict, torchvisionProfile, type WeightsProfile } from '@rcnn/checkpoint';
import { type DownloadEvent, loadPretrained } from '@rcnn/checkpoint/node';
import type { ClassMap } from '@rcnn/coco-data';
import { Random } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { fixesSize } from '@rcnn/transforms';
import { architecture, type FasterRCNN, otherArchitecture, type RecipeOptions } from 'mask-rcnn';
import type { TrainConfig } from '../config/options.ts';
import type { Listener, TrainEvent } from '../loop/events.ts';

/** Added to the variance in norms, unless the weights were trained otherwise. */
const EPSILON = 1e-5;

/** A model, and what its profile must say that cannot be asked of it. */
export interface BuiltModel {
  readonly model: FasterRCNN;
  readonly normEpsilon: number;
}

/** The model that a config describes, with weights where it names some. */
export async function buildModel(config: TrainConfig, classes: ClassMap, onEvent: Listener): Promise<BuiltModel> {
  if (config.weightsBackbone !== undefined) return fromBackbone(config, config.weightsBackbone, classes, onEvent);
  if (config.weights === 'none') return { model: freshModel(config, classes, EPSILON), normEpsilon: EPSILON };
  const checkpoint = await loadPretrained(config.weights, { onEvent: (event) => onEvent(describe(event)) });
  try {
    const normEpsilon = checkpoint.profile?.normEpsilon ?? EPSILON;
    const model = freshModel(config, classes, normEpsilon);
    const { loaded, skipped } = await loadStateDict(model, checkpoint.weights, { newPredictors: true }).catch(
      (error: unknown) => {
        model.dispose();
        throw otherArchitecture(error, checkpoint.path, checkpoint.profile, config.arch);
      },
    );
    const fresh = skipped.length === 0 ? '' : `; ${skipped.length} predictor tensors stay fresh: the classes differ`;
    onEvent({ kind: 'note', text: `${loaded.length} tensors from ${checkpoint.path}${fresh}.` });
    return { model, normEpsilon };
  } finally {
    await checkpoint.close();
  }
}

/** A model with the body of a classifier; what is above it starts fresh. */
async function fromBackbone(
  config: TrainConfig,
  what: string,
  classes: ClassMap,
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
  const checkpoint = await loadPretrained(what, { onEvent: (event) => onEvent(describe(event)) });
  try {
    const normEpsilon = checkpoint.profile?.normEpsilon ?? EPSILON;
    const model = freshModel(config, classes, normEpsilon);
    const { loaded } = await loadBackbone(model, checkpoint.weights).catch((error: unknown) => {
      model.dispose();
      throw error;
    });
    onEvent({
      kind: 'note',
      text: `${loaded.length} tensors of the backbone from ${checkpoint.path}; the rest is new.`,
    });
    return { model, normEpsilon };
  } finally {
    await checkpoint.close();
  }
}

/** The model that a config describes, with first weights of its own. */
export function freshModel(config: TrainConfig, classes: ClassMap, normEpsilon: number): FasterRCNN {
  const fromNothing = config.weights === 'none' && config.weightsBackbone === undefined;
  return architecture(config.arch)({
    ...recipeOptions(config, classes),
    // Frozen norms without published statistics would have nothing to say: there they learn.
    ...(fromNothing && { norm: 'batch' as const }),
    trainableStages: config.trainableLayers ?? (fromNothing ? 5 : 3),
    normEpsilon,
  });
}

function describe(event: DownloadEvent): TrainEvent {
  if (event.kind === 'warning') return { kind: 'warning', text: `${event.path}: ${event.message}` };
  const { kind, ...rest } = event;
  return { kind: 'note', text: `Weights, ${kind}: ${Object.values(rest).join(', ')}` };
}

/** The options of a recipe that a config sets; the others keep the recipe's own values. */
function recipeOptions(config: TrainConfig, classes: ClassMap): RecipeOptions {
  const { minSize, maxSize, roisPerImage, proposals } = config;
  const options: Record<string, unknown> = {
    minSize,
    maxSize,
    boxBatchSizePerImage: roisPerImage,
    rpnPostNmsTopNTrain: proposals,
    rpnPostNmsTopNTest: proposals,
    boxScoreThresh: config.scoreThreshold,
    resizeInTraining: !fixesSize(config.augment),
    numClasses: classes.numClasses,
    random: new Random(config.seed).fork('weights'),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as RecipeOptions;
}

/** What whoever loads these weights must know. */
export function profileOf(config: TrainConfig, classes: ClassMap, { model, normEpsilon }: BuiltModel): WeightsProfile {
  const { minSizes, maxSize } = model.transform as unknown as { minSizes: readonly number[]; maxSize: number };
  return torchvisionProfile({
    source: '@rcnn/train',
    architecture: config.arch,
    normEpsilon,
    numClasses: classes.numClasses,
    classes: classes.classes,
    resize: { rule: 'torchvision', minSize: minSizes.at(-1)!, maxSize },
  });
}
