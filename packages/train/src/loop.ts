/**
 * The part of training that runs anywhere, a browser tab included: the loop, its step, optimisers, schedules and
 * evaluation. Everything about files is behind the main entry.
 */
export * from '@rcnn/optim';
export type { KindAnalysis } from './loop/analyse.ts';
export {
  EvaluationPass,
  type EvaluationPassOptions,
  type Example,
  evaluateModel,
  type ImageAnswer,
  lossesFromJson,
  type ModelEvaluation,
  type ModelEvaluationOptions,
  summarize,
} from './loop/evaluate.ts';
export { evaluateTogether } from './loop/evaluate-together.ts';
export type * from './loop/events.ts';
export { kindAsAdjective, kindInWords, kindsOf, mostTellingFirst } from './loop/kinds.ts';
export type * from './loop/records.ts';
export {
  decisive,
  type Position,
  type RecordEntry,
  runTraining,
  START,
  stepsPerEpoch,
  type TrainerHooks,
  type TrainerOptions,
} from './loop/trainer.ts';
export type * from './loop/types.ts';
