export { type AtomicWriteOptions, atomicWrite, commitFile, sweepTemporaries } from './atomic-write.ts';
export { loadCheckpoint, openTensorFile, saveCheckpoint } from './checkpoint-files.ts';
export { fileSource } from './file-source.ts';
export { type FileSystem, fileError, nodeFileSystem, type WritableFile } from './file-system.ts';
export { nodeHashing } from './hashing.ts';
