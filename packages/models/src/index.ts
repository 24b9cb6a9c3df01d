export {
  type Architecture,
  type BuildRequest,
  checkOptions,
  findArchitecture,
  type ModelOptions,
  optionFaults,
  profileOf,
} from './architecture.ts';
export { architectures } from './architectures.ts';
export {
  detectorFromCheckpoint,
  type FromCheckpointOptions,
  type LoadedDetector,
} from './from-checkpoint.ts';
export { faultsOf, inWords, type OptionFault } from './option-faults.ts';
export { type FormerOptions, formerOptions, formerShape, type PresetModel, presetModels } from './presets.ts';
