import { architectures, presetModels } from '@rcnn/models';
import type { TrainConfig } from './options.ts';

/** Everything but the data: what holds unless a preset, a file or the command line says otherwise. */
export const defaults: Omit<TrainConfig, 'data'> = {
  format: 'auto',
  labels: 'contiguous',
  augment: 'hflip',
  workers: 1,
  badSamples: 'fail',
  arch: architectures[0]!.name,
  model: {},
  weights: 'none',
  batchSize: 2,
  accumulate: 1,
  epochs: 26,
  optimizer: 'sgd',
  learningRate: 'auto',
  learningRates: {},
  momentum: 0.9,
  weightDecay: 1e-4,
  schedule: 'multistep',
  milestones: [16, 22],
  stepEpochs: 10,
  gamma: 0.1,
  power: 0.9,
  finalFactor: 0,
  warmupSteps: 'auto',
  warmupFactor: 0.001,
  freeze: [],
  syncBatchNorm: false,
  evaluateEvery: 1,
  scoreThreshold: 0.05,
  out: 'runs',
  name: 'train',
  seed: 0,
  engine: 'auto',
  memory: 'check',
  offline: false,
  compile: 'auto',
};

/** A named recipe. What it changes of the model stands in `presetModels` of `@rcnn/models`, where the model's options are. */
export interface Preset {
  /** For what and what, in half a sentence. */
  readonly about: string;
  readonly changes: Partial<TrainConfig>;
  /** Why each value is what it is, in a sentence, by its name; `model.minSize` for those of the model. */
  readonly why: Readonly<Record<string, string>>;
}

export const presets: Readonly<Record<string, Preset>> = {
  torchvision: {
    about: "torchvision's reference recipe: SGD at 0.02 for 16 images, 26 epochs, drops after 16 and 22",
    changes: {},
    why: {},
  },
  balloon: {
    about: "detectron2's recipe for small sets: 1,000 steps of 2 images at 0.00025, 128 regions per image",
    changes: {
      learningRate: 0.00025,
      schedule: 'constant',
      steps: 1000,
      warmupSteps: 1000,
      name: 'balloon',
    },
    why: {
      learningRate: "The notebook's: a tenth of what 2 images would get, for weights that know objects already.",
      schedule: 'A run so short is over before a drop would help.',
      steps: 'Some thirty looks at each of 61 photographs: more only learns them by heart.',
      warmupSteps: "detectron2's default, which the notebook keeps: the rate rises through the whole run.",
      name: 'Its folder says what it is.',
      ...presetModels.balloon?.why,
    },
  },
  few: {
    about: 'a few dozen photographs of objects of middle size, from a pretrained body, on a processor',
    changes: {
      augment: 'ssdlite',
      batchSize: 2,
      optimizer: 'adamw',
      learningRate: 2e-4,
      weightDecay: 1e-2,
      schedule: 'cosine',
      warmupSteps: 50,
      clipNorm: 10,
      steps: 600,
      evaluateEvery: 5,
      patience: 10,
      name: 'few',
    },
    why: {
      augment:
        'Parts of pictures, enlarged, and mirrored: small objects are learnt large, and few pictures become many.',
      batchSize: 'More updates from the same pictures, and frozen norms do not mind.',
      optimizer:
        'Heads that begin with random numbers beside a body that does not: Adam gives each weight its own rate.',
      learningRate: 'Quick enough for new heads in hundreds of steps, and slow enough not to undo the body.',
      weightDecay: "AdamW's decay is multiplied by its small rate: 0.0001 would be none at all.",
      schedule: 'It ends near zero, so the last weights are calm whatever the number of steps.',
      warmupSteps: 'The mask loss of new heads begins ten times too high: the first updates should be small.',
      clipNorm: 'One odd photograph in a set of few must not throw the weights away.',
      steps: 'Twenty looks at each of sixty photographs.',
      evaluateEvery: 'With few images an epoch is seconds long, and looking at the validation images is not.',
      patience: 'Fifty epochs without a better result: from there on these photographs are learnt by heart.',
      name: 'Its folder says what it is.',
      ...presetModels.few?.why,
    },
  },
  'many-small': {
    about: 'many small objects in each picture, such as cells or seeds, from a pretrained body',
    changes: {
      batchSize: 2,
      optimizer: 'adamw',
      learningRate: 2e-4,
      weightDecay: 1e-2,
      schedule: 'cosine',
      warmupSteps: 50,
      clipNorm: 10,
      steps: 600,
      evaluateEvery: 4,
      patience: 10,
      name: 'many-small',
    },
    why: {
      batchSize: 'Each picture brings dozens of objects: two of them are a full lesson.',
      optimizer:
        'Heads that begin with random numbers beside a body that does not: Adam gives each weight its own rate.',
      learningRate: 'Quick enough for new heads in hundreds of steps, and slow enough not to undo the body.',
      weightDecay: "AdamW's decay is multiplied by its small rate: 0.0001 would be none at all.",
      schedule: 'It ends near zero, so the last weights are calm whatever the number of steps.',
      warmupSteps: 'The mask loss of new heads begins ten times too high: the first updates should be small.',
      clipNorm: 'A crowded picture has a gradient many times that of an empty one.',
      steps: 'Objects that look alike are learnt early; more steps sharpen their outlines only.',
      evaluateEvery: 'Evaluating pictures with hundreds of objects takes as long as some steps.',
      patience: 'Forty epochs without a better result: more of these pictures would help, more steps will not.',
      name: 'Its folder says what it is.',
      ...presetModels['many-small']?.why,
    },
  },
  quick: {
    about: 'a small network from scratch that learns simple scenes on two CPU cores in minutes',
    changes: {
      batchSize: 4,
      optimizer: 'adamw',
      learningRate: 1e-3,
      weightDecay: 1e-2,
      schedule: 'cosine',
      warmupSteps: 50,
      epochs: 10,
      name: 'quick',
    },
    why: {
      batchSize: 'Batch norms learn in a network from scratch, and need more than 2 images to do so.',
      optimizer: 'From random weights it needs a fraction of the steps of SGD.',
      learningRate: 'High, for everything is new; a small network bears it, and a small YOLACT 0.002.',
      weightDecay: "AdamW's decay is multiplied by its small rate: 0.0001 would be none at all.",
      schedule: 'It ends near zero, so the last weights are calm whatever the number of steps.',
      warmupSteps: 'The first gradients of random weights are the largest.',
      epochs: 'Simple scenes are learnt by then.',
      name: 'Its folder says what it is.',
      ...presetModels.quick?.why,
    },
  },
};

/** torchvision's learning rate for one image of a step: 0.02 for 8 x 2. */
export const RATE_PER_IMAGE: number = 0.02 / 16;
