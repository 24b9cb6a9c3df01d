export {
  type Architecture,
  type BuildRequest,
  checkOptions,
  findArchitecture,
  type ModelOptions,
  type OptionFault,
  optionFaults,
  profileOf,
} from './architecture.ts';
export { architectures } from './architectures.ts';
export {
  detectorFromCheckpoint,
  type FromCheckpointOptions,
  type LoadedDetector,
} from './from-checkpoint.ts';
export { type FormerOptions, formerOptions, formerShape, type PresetModel, presetModels } from './presets.ts';
