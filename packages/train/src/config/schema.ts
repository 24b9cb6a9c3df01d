import { DATASET_SETTINGS, type DatasetSetting } from '@rcnn/coco-data';
import { type Architecture, architectures, faultsOf, formerShape, type OptionFault, presetModels } from '@rcnn/models';
import { PRESETS } from '@rcnn/transforms';
import { z } from 'zod';
import { defaults, presets } from './presets.ts';

/** Architectures to name as examples: the usual one, and the one that is quick to try. */
const NAMED = [defaults.arch, presetModels.quick!.arch!];

const positive = (): z.ZodNumber => z.number().positive();
const count = (): z.ZodNumber => z.number().int().min(1);
const share = (): z.ZodNumber => z.number().min(0).max(1);

/** The settings of a dataset, as every command has them. */
function datasetOptions(): Record<string, z.ZodType> {
  const options = Object.entries(DATASET_SETTINGS).map(([name, { kind, about }]) => [
    name,
    typeOf(kind).describe(about).optional(),
  ]);
  return Object.fromEntries(options) as Record<string, z.ZodType>;
}

function typeOf(kind: DatasetSetting['kind']): z.ZodType {
  if (typeof kind !== 'string') return z.enum(kind);
  return { text: z.string().min(1), switch: z.boolean(), count: count(), fraction: share() }[kind];
}

/** The options as a person writes them: each may be left out, none may be misspelt. */
export const schema: z.ZodObject<z.ZodRawShape> = z.strictObject({
  preset: z.enum(Object.keys(presets)).describe('Where the other options start from').optional(),

  data: z.string().min(1).describe('Folder or annotation file to train on: COCO, VIA or VOC').optional(),
  valData: z
    .string()
    .min(1)
    .describe('Folder or annotation file to evaluate on; found beside the training split by itself')
    .optional(),
  ...datasetOptions(),
  labels: z
    .enum(['contiguous', 'ids'])
    .describe('Labels 1 to K, or the category ids themselves (as published COCO weights have them)')
    .optional(),
  augment: z.enum(PRESETS).describe('Augmentation preset').optional(),
  workers: z.number().int().min(0).describe('Threads that decode and augment').optional(),

  arch: z
    .string()
    .describe(`Architecture by name: ${NAMED.join(', ')}, ...`)
    .optional(),
  weights: z.string().describe(`Start from: none, a published name (${NAMED[0]}), a file or a URL`).optional(),
  weightsBackbone: z
    .string()
    .min(1)
    .describe('Start the backbone alone from: a published classifier (resnet50), a file or a URL')
    .optional(),
  offline: z.boolean().describe('Never use the network: weights come from files or the cache').optional(),
  model: z.record(z.string(), z.unknown()).describe('Options of the architecture').optional(),
  ...formerShape,

  batchSize: count().describe('Images per batch').optional(),
  accumulate: count().describe('Batches whose gradients are averaged into one step').optional(),
  epochs: count().describe('How often every image is seen').optional(),
  steps: count().describe('Stop after this many steps instead').optional(),
  optimizer: z.enum(['sgd', 'sgdNesterov', 'adamw']).describe('Update rule').optional(),
  learningRate: z
    .union([positive(), z.literal('auto')])
    .describe("Base rate; auto is the recipe's rate per image times the images of a step")
    .optional(),
  learningRates: z
    .record(z.string(), z.number().min(0))
    .describe("Factors on the rate by parameter pattern, as {'backbone.*': 0.1}")
    .optional(),
  momentum: share().describe('Momentum of SGD').optional(),
  weightDecay: z.number().min(0).describe('Weight decay').optional(),
  normWeightDecay: z.number().min(0).describe('Weight decay of norms, where it differs').optional(),
  schedule: z.enum(['constant', 'step', 'multistep', 'cosine', 'poly']).describe('How the rate moves').optional(),
  milestones: z.array(positive()).describe('Epochs at which multistep lowers the rate').optional(),
  stepEpochs: positive().describe('Epochs between two drops of the schedule step').optional(),
  gamma: share().describe('Factor of each drop').optional(),
  power: positive().describe('Exponent of the schedule poly').optional(),
  finalFactor: share().describe('Where cosine and poly end, as a share of the base rate').optional(),
  warmupSteps: z
    .union([z.number().int().min(0), z.literal('auto')])
    .describe('Steps of linear warm-up; auto is the first epoch, at most 1000')
    .optional(),
  warmupFactor: share().describe('Share of the rate at which the warm-up begins').optional(),
  clipNorm: positive().describe('Longest gradient allowed').optional(),
  ema: share().describe('Evaluate and keep a moving average of the weights with this decay').optional(),
  freeze: z.array(z.string()).describe("Parameter patterns that stay as they are, as ['backbone.*']").optional(),
  syncBatchNorm: z
    .boolean()
    .describe('Norms that learn count the batches of all processes that train together as one')
    .optional(),

  evaluateEvery: count().describe('Epochs between two evaluations').optional(),
  patience: count().describe('Stop after this many evaluations without a better one').optional(),
  scoreThreshold: share().describe('Least score of a detection in evaluation').optional(),
  saveEvery: count().describe('Steps between two checkpoints inside an epoch').optional(),
  keepCheckpoints: count()
    .describe('Keep the states of so many saves beside the last one, as checkpoints/step-<n>.safetensors')
    .optional(),
  out: z.string().min(1).describe('Folder of all runs').optional(),
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .describe('Folder of this run; numbered when it exists')
    .optional(),
  seed: z.number().int().min(0).describe('Seed of every random choice').optional(),
  engine: z.string().describe('Engine to compute on: auto, onnxruntime, tensorflow, webgpu, cpu').optional(),
  threads: count().describe('Threads of the engine').optional(),
  memory: z
    .enum(['check', 'ignore'])
    .describe('Refuse a training that would not fit into memory, or try it all the same')
    .optional(),
  compile: z
    .enum(['auto', 'on', 'off'])
    .describe('Predict by whole graphs in evaluation: auto where model and engine allow it and it is quicker')
    .optional(),
});

/** Every option, in the order of the help. */
export const optionNames: readonly string[] = Object.keys(schema.shape);

/** Where the help lists an option. `Dataset` are those that every command on data has. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  Start: ['preset'],
  Dataset: Object.keys(DATASET_SETTINGS),
  Data: ['data', 'valData', 'labels', 'augment', 'workers'],
  Model: ['arch', 'weights', 'weightsBackbone', 'offline', 'model', ...Object.keys(formerShape)],
  Run: [
    'evaluateEvery',
    'patience',
    'scoreThreshold',
    'saveEvery',
    'keepCheckpoints',
    'out',
    'name',
    'seed',
    'engine',
    'threads',
    'memory',
    'compile',
  ],
};

/** What an option takes, where `text` would say too little. */
const TAKES: Readonly<Record<string, string>> = {
  images: 'folder',
  split: 'name',
  className: 'name',
  classAttribute: 'name',
  valData: 'path',
  arch: 'name',
  weights: 'file',
  weightsBackbone: 'file',
  out: 'folder',
  name: 'name',
  engine: 'name',
};

function groupOf(name: string): string {
  return Object.keys(GROUPS).find((group) => GROUPS[group]!.includes(name)) ?? 'Learning';
}

/**
 * The JSON schema that gives editors completion: `# yaml-language-server: $schema=…`. Each option says its group and its
 * default, for help texts.
 */
export function jsonSchema(known: readonly Architecture[] = architectures): object {
  const { properties = {}, ...rest } = z.toJSONSchema(schema) as { properties?: Record<string, object> };
  const usual = defaults as unknown as Readonly<Record<string, unknown>>;
  const options = Object.entries(properties).map(([name, property]) => [
    name,
    {
      ...property,
      ...(name === 'model' && { properties: modelProperties(known) }),
      ...(name === 'preset' && { 'x-about': aboutPresets() }),
      ...(name in usual && { default: usual[name] }),
      ...(name in TAKES && { 'x-takes': TAKES[name] }),
      'x-group': groupOf(name),
    },
  ]);
  return { title: 'Training of @rcnn/train', ...rest, properties: Object.fromEntries(options) as object };
}

/** What each preset is for. */
function aboutPresets(): Record<string, string> {
  return Object.fromEntries(Object.entries(presets).map(([name, { about }]) => [name, about]));
}

/** The options of all architectures together. Of one name in several, the first says what it is. */
function modelProperties(known: readonly Architecture[]): object {
  const each = [...new Set(known.map(({ optionSchema }) => optionSchema))].reverse();
  return Object.assign({}, ...each.map((options) => z.toJSONSchema(options, { io: 'input' }).properties)) as object;
}

/** The problems of a config, each with the path of its key. Empty when it is fine. */
export function problemsOf(config: unknown): OptionFault[] {
  const result = schema.safeParse(config);
  return result.success ? [] : faultsOf(result.error.issues, config);
}
