export { type AtomicWriteOptions, atomicWrite, commitFile, sweepTemporaries } from './atomic-write.ts';
export { cacheDirectory } from './cache-directory.ts';
export { loadCheckpoint, openTensorFile, saveCheckpoint } from './checkpoint-files.ts';
export { type DownloadEvent, type DownloadOptions, download, sha256OfFile } from './download.ts';
export { fileSource } from './file-source.ts';
export { type FileSystem, fileError, nodeFileSystem, type WritableFile } from './file-system.ts';
export { nodeHashing } from './hashing.ts';
export { loadPretrained, type Pretrained, type PretrainedOptions } from './pretrained.ts';
