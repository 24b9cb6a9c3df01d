export type { ClassEntry } from '@rcnn/core';
export { type ByteSource, blobSource, bytesSource, type UrlSourceOptions, urlSource } from './byte-source.ts';
export { type Checkpoint, type CheckpointContents, checkpointFile, INFO_PLACE, openCheckpoint } from './checkpoint.ts';
export { DTYPES, type DType } from './dtypes.ts';
export type { BodyStyle } from './foreign/body.ts';
export {
  type Converted,
  convertForeign,
  type ForeignOptions,
} from './foreign/convert.ts';
export { type Hashing, type Sha256, sha256Of, webHashing } from './hashing.ts';
export { inspectTensors, type TensorSummary } from './inspect.ts';
export type { JsonValue } from './json.ts';
export { type OpenOptions, openTensors } from './open.ts';
export { PUBLISHED, PUBLISHED_URL, type PublishedWeights, publishedWeights } from './pretrained/catalogue.ts';
export { COCO_CLASSES } from './pretrained/coco-classes.ts';
export { requireDigest } from './pretrained/stated-digest.ts';
export { checkProfile, type ProfileChanges, torchvisionProfile, type WeightsProfile } from './profile.ts';
export { type Program, programOf } from './programs/program.ts';
export { openSafetensors, type SafetensorsSource } from './safetensors/read.ts';
export { type FileContents, safetensorsFile } from './safetensors/write.ts';
export { type BackboneOptions, loadBackbone } from './state-dict/backbone.ts';
export { isBackboneAlone } from './state-dict/body.ts';
export { type BuildOptions, buildWithWeights } from './state-dict/build.ts';
export { storedShape, toStored } from './state-dict/layout.ts';
export { type LoadOptions, loadStateDict, stateDict } from './state-dict/load.ts';
export type { LoadReport, MatchOptions, Misshaped } from './state-dict/match.ts';
export { currentName } from './state-dict/names.ts';
export { type Normalised, normaliseTensors } from './state-dict/normalise.ts';
export { readNumbers } from './state-dict/numbers.ts';
export { otherArchitecture, refuseUnknown } from './state-dict/other-architecture.ts';
export { besideModel, modelTensors, type SelectOptions } from './state-dict/select.ts';
export { memoryEntry, memorySource, type TensorEntry, type TensorSource } from './tensor-source.ts';
