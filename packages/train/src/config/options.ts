import type { JsonValue } from '@rcnn/checkpoint';
import type { DatasetSettings } from '@rcnn/coco-data';
import type { FormerOptions } from '@rcnn/models';
import type { PresetName } from '@rcnn/transforms';

/**
 * Every option of a training, under the same name in TypeScript, in YAML (`learningRate: 0.02`) and on the command line
 * (`--learning-rate 0.02`). What they mean is written once, in `schema.ts`, where the help text and the JSON schema for
 * editors come from. How the data are read is said with the settings that every command on data has.
 */
export interface TrainConfig extends Settings<DatasetSettings> {
  data: string;
  valData?: string;
  labels: 'contiguous' | 'ids';
  augment: PresetName;
  workers: number;

  arch: string;
  weights: string;
  weightsBackbone?: string;
  offline: boolean;
  /** Options of the architecture, by the names of its own schema. */
  model: Record<string, JsonValue>;

  batchSize: number;
  accumulate: number;
  epochs: number;
  steps?: number;
  optimizer: 'sgd' | 'sgdNesterov' | 'adamw';
  learningRate: number | 'auto';
  learningRates: Record<string, number>;
  momentum: number;
  weightDecay: number;
  normWeightDecay?: number;
  schedule: 'constant' | 'step' | 'multistep' | 'cosine' | 'poly';
  milestones: number[];
  stepEpochs: number;
  gamma: number;
  power: number;
  finalFactor: number;
  warmupSteps: number | 'auto';
  warmupFactor: number;
  clipNorm?: number;
  ema?: number;
  freeze: string[];
  syncBatchNorm: boolean;

  evaluateEvery: number;
  patience?: number;
  scoreThreshold: number;
  saveEvery?: number;
  keepCheckpoints?: number;
  out: string;
  name: string;
  seed: number;
  engine: string;
  threads?: number;
  memory: 'check' | 'ignore';
  compile: 'auto' | 'on' | 'off';
}

/** Config objects are put together by assignment, and kept as JSON: what is not set is not there. */
type Settings<T> = { -readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** What a person writes: any part of it, and the preset that fills in the rest. */
export type PartialConfig = Partial<TrainConfig> & FormerOptions & { readonly preset?: string };
