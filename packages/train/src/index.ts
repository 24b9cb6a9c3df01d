export * from './loop/step.ts';
export type * from './loop/types.ts';
export { AdamW, type AdamWOptions } from './optim/adamw.ts';
export { WeightAverage } from './optim/ema.ts';
export type { Optimizer, Update, UpdateSettings } from './optim/optimizer.ts';
export * from './optim/parameter-groups.ts';
export * from './optim/schedule.ts';
export { SGD, type SGDOptions } from './optim/sgd.ts';
