import { type SizedImage, sizedImages, USUAL_DETECTIONS, warnOfSmall } from '@rcnn/coco-data';
import { architectures } from '@rcnn/models';
import type { TrainConfig } from '../config/options.ts';
import { defaults, RATE_PER_IMAGE } from '../config/presets.ts';
import { learningRateOf } from '../config/resolve.ts';
import type { BuiltModel } from './build-model.ts';
import type { TrainingData } from './data.ts';
import { imagesPerStep, type Plan } from './plan.ts';

interface Sides {
  readonly minSize: number;
  readonly maxSize: number;
  readonly trainingSizes?: readonly number[] | undefined;
}

/** What a recipe is judged by: no pixels, no weights. */
export interface RecipeFacts {
  readonly config: TrainConfig;
  readonly totalSteps: number;
  /** That train together: each takes a batch of its own into a step. */
  readonly processes: number;
  readonly images: readonly SizedImage[];
  /** Weights of the model. */
  readonly weights: number;
  /** Sides that the model resizes images to; undefined where it squeezes them into a square. */
  readonly sides: Sides | undefined;
  /** The options that the architecture has, by name. */
  readonly known: object;
}

/** Why this recipe cannot work on these data, a sentence or two each, with what to write instead. Empty when it can. */
export function recipeWarnings(facts: RecipeFacts): string[] {
  const judges = [fewImages, fewSteps, lateWarmup, rateOfAnotherBatch, manyObjects, smallObjects, otherSize];
  return judges.map((judge) => judge(facts)).filter((text) => text !== undefined);
}

/** The facts of a training that is about to begin. */
export function recipeFacts(
  config: TrainConfig,
  { train }: Pick<TrainingData, 'train'>,
  { totalSteps }: Pick<Plan, 'totalSteps'>,
  { model }: Pick<BuiltModel, 'model'>,
  processes = 1,
): RecipeFacts {
  const { resize } = model.spec.input;
  const weights = [...model.namedParameters().values()].reduce((sum, { size }) => sum + size, 0);
  return {
    config,
    totalSteps,
    processes,
    images: sizedImages(train),
    weights,
    sides: resize.rule === 'torchvision' ? resize : undefined,
    known: findOptions(config.arch),
  };
}

/** The options of an architecture of this toolkit; none of another's, of which nothing is known here. */
function findOptions(arch: string): object {
  return architectures.find(({ name }) => name === arch)?.optionSchema.shape ?? {};
}

type Judge = (facts: RecipeFacts) => string | undefined;

/** A network of this many weights is one for photographs, not one for simple scenes. */
const LARGE = 10_000_000;

/** Images that random weights of either kind want at least. */
const IMAGES = { large: 500, small: 20 };

function startsFresh({ weights, weightsBackbone }: TrainConfig): boolean {
  return weights === 'none' && weightsBackbone === undefined;
}

const fewImages: Judge = ({ config, images, weights }) => {
  if (!startsFresh(config)) return undefined;
  const least = weights > LARGE ? IMAGES.large : IMAGES.small;
  if (images.length >= least) return undefined;
  const millions = (weights / 1e6).toFixed(weights > LARGE ? 0 : 1);
  return (
    `${count(images.length, 'image')} cannot teach ${millions} million random weights what objects look like; that takes ${least} or more. ` +
    `Start from weights that know it: --weights ${defaults.arch}, or a body alone: --weights-backbone resnet50 (a name, file or URL).`
  );
};

/** Steps up to which nothing useful comes out, whatever the rest is: of heads that are new, and of a whole detector. */
const TOO_FEW = { heads: 100, detector: 40 };

const fewSteps: Judge = ({ config, totalSteps }) => {
  const isNew = config.weights === 'none';
  if (totalSteps > (isNew ? TOO_FEW.heads : TOO_FEW.detector)) return undefined;
  const why = isNew ? 'new heads have learnt anything' : 'the detector has learnt other classes';
  return `${count(totalSteps, 'step')} ${totalSteps === 1 ? 'is' : 'are'} over before ${why}: some 300 are the least. Ask for more: --steps 300.`;
};

const lateWarmup: Judge = ({ config: { warmupSteps }, totalSteps }) => {
  if (warmupSteps === 'auto' || warmupSteps <= totalSteps) return undefined;
  return (
    `The warm-up of ${warmupSteps} steps does not end within the ${count(totalSteps, 'step')} of this training, so the rate never reaches what was asked for. ` +
    `Shorten it: --warmup-steps ${Math.max(1, Math.floor(totalSteps / 10))}.`
  );
};

/** How far from torchvision's rate per image SGD still works, up and down. */
const RATE_RANGE = { up: 4, down: 100 };

/** AdamW above this rate throws pretrained weights away; random ones of a small network bear a few times more. */
const ADAMW_MOST = 3e-3;

const rateOfAnotherBatch: Judge = ({ config, processes }) => {
  const rate = learningRateOf(config, processes);
  const images = imagesPerStep(config, processes);
  if (config.optimizer === 'adamw') {
    if (rate <= ADAMW_MOST) return undefined;
    return `A rate of ${rate} is one for SGD; AdamW takes steps of about its rate in every weight. Write --learning-rate 1e-4, or --optimizer sgd.`;
  }
  const usual = RATE_PER_IMAGE * images;
  if (rate <= RATE_RANGE.up * usual && rate >= usual / RATE_RANGE.down) return undefined;
  const fits = Math.max(1, Math.round(rate / RATE_PER_IMAGE));
  const effect = rate > usual ? 'it will diverge' : 'hardly anything will be learnt';
  return (
    `A learning rate of ${rate} belongs to about ${count(fits, 'image')} a step, and this recipe has ${images}: ${effect}. ` +
    `Write --learning-rate ${Number(usual.toPrecision(3))}, or leave it out: auto scales with the batch.`
  );
};

const manyObjects: Judge = ({ config, images }) => {
  const limit = (config.model['detections'] as number | undefined) ?? USUAL_DETECTIONS;
  const over = images.filter(({ boxes }) => boxes.length > limit);
  if (over.length === 0) return undefined;
  const most = over.reduce((max, { boxes }) => Math.max(max, boxes.length), 0);
  return (
    `${count(over.length, 'image')} of ${images.length} ${over.length === 1 ? 'has' : 'have'} more objects (up to ${most}) than the model gives back: ${limit}. ` +
    `Raise it: --model.detections ${50 * Math.ceil((1.25 * most) / 50)}.`
  );
};

const smallObjects: Judge = ({ config, images, sides, known }) =>
  sides && warnOfSmall(images, sides, config.model, known);

/** Augmentations that enlarge parts of images; with others objects are met at the size of the whole. */
const ENLARGING: readonly string[] = ['ssd', 'ssdlite', 'lsj', 'level3'];

/** A training size below this share of the other teaches objects at sizes that they do not have later. */
const LIKE = 0.8;

const otherSize: Judge = ({ config: { augment }, sides }) => {
  if (sides?.trainingSizes === undefined || ENLARGING.includes(augment)) return undefined;
  const { minSize, trainingSizes } = sides;
  const largest = Math.max(...trainingSizes);
  if (largest >= LIKE * minSize) return undefined;
  return (
    `Images of ${largest} pixels teach what objects of ${minSize} look like only where parts of them are enlarged, which the augmentation '${augment}' does not do. ` +
    `Write --augment ssdlite, or --model.min-size ${largest}.`
  );
};

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}
