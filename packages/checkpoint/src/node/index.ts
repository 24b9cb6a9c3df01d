// What files need of the main entry, for programs that do without tfjs.
export { type Checkpoint, type CheckpointContents } from '../checkpoint.ts';
export type { BodyStyle } from '../foreign/body.ts';
export { type Converted, convertForeign } from '../foreign/convert.ts';
export { inspectTensors, type TensorSummary } from '../inspect.ts';
export { publishedWeights } from '../pretrained/catalogue.ts';
export type { WeightsProfile } from '../profile.ts';
export { type NonFiniteTensor, nonFiniteTensors } from '../state-dict/non-finite.ts';
export { type Normalised, normaliseTensors } from '../state-dict/normalise.ts';
export { besideModel } from '../state-dict/select.ts';
export { type AtomicWriteOptions, atomicWrite, commitFile, sweepTemporaries } from './atomic-write.ts';
export { cacheDirectory } from './cache-directory.ts';
export { loadCheckpoint, openTensorFile, saveCheckpoint } from './checkpoint-files.ts';
export { type DownloadEvent, type DownloadOptions, download, sha256OfFile } from './download.ts';
export { type DownloadReporterOptions, downloadReporter } from './download-reporter.ts';
export { fileSource } from './file-source.ts';
export { type FileSystem, nodeFileSystem, type WritableFile } from './file-system.ts';
export { nodeHashing } from './hashing.ts';
export { loadPretrained, type Pretrained, type PretrainedOptions } from './pretrained.ts';
