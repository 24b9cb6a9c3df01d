export { describeOptimizer, type TestRunner } from './describe-optimizer.ts';
export { ToyModel, toyBatch } from './toy-model.ts';
