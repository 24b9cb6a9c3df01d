import { architectures } from '@rcnn/models';
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
  evaluateEvery: 1,
  scoreThreshold: 0.05,
  out: 'runs',
  name: 'train',
  seed: 0,
  engine: 'auto',
  memory: 'check',
  compile: 'auto',
};

/** Named recipes: what they change of the defaults; `presetModels` of `@rcnn/models` has what they change of the model. */
export const presets: Readonly<Record<string, { readonly about: string; readonly changes: Partial<TrainConfig> }>> = {
  torchvision: {
    about: "torchvision's reference recipe: SGD at 0.02 for 16 images, 26 epochs, drops after 16 and 22",
    changes: {},
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
  },
};

/** torchvision's learning rate for one image of a step: 0.02 for 8 x 2. */
export const RATE_PER_IMAGE: number = 0.02 / 16;
