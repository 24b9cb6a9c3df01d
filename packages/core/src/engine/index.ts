export type { EngineOptions } from './bring-up.ts';
export { type DescribeOptions, describeEngines, type EngineReport } from './describe-engines.ts';
export type { EngineLoader, OpenedEngine } from './driver.ts';
export type { BesideEngine, ModelsContext, ModelsLoader } from './models-beside.ts';
export { browserOrder, type EngineName, type EngineTask, engineNames, isEngineName, nodeOrder } from './names.ts';
export { type EngineAbility, type EngineCheck, selfCheck } from './self-check.ts';
export type { EngineSpeed } from './speed.ts';
export { type ActiveEngine, type UseEngineOptions, useEngine } from './use-engine.ts';
export {
  engineModels,
  type ModelOpener,
  type ModelSession,
  modelsAreQuicker,
  type SessionTensor,
  whyNoModels,
} from './whole-models.ts';
