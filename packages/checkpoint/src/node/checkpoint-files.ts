import { type Checkpoint, type CheckpointContents, checkpointFile, openCheckpoint } from '../checkpoint.ts';
import { openTensors } from '../open.ts';
import type { TensorSource } from '../tensor-source.ts';
import { type AtomicWriteOptions, atomicWrite } from './atomic-write.ts';
import { fileSource } from './file-source.ts';
import { nodeHashing } from './hashing.ts';

/**
 * Saves a checkpoint of ours, all of it or nothing (see `checkpointFile` and `atomicWrite`).
 * @throws INVALID_ARGUMENT, DISK_FULL, FILE_MISSING, IO_FAILED
 */
export async function saveCheckpoint(
  path: string,
  contents: CheckpointContents,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const file = await checkpointFile(contents, nodeHashing);
  await atomicWrite(path, file.chunks(), options);
}

/**
 * Opens a checkpoint by its path: ours, a safetensors file of others, or a `.pth` of PyTorch. Close it when done.
 * @throws FILE_MISSING, FILE_MALFORMED, FILE_TRUNCATED, FILE_REFUSED, BUDGET_EXCEEDED, DIGEST_MISMATCH
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  return openCheckpoint(await fileSource(path), nodeHashing);
}

/** Opens the tensors of a file by its path, of any format, without looking for digests. Close it when done. */
export async function openTensorFile(path: string): Promise<TensorSource> {
  return openTensors(await fileSource(path), { hashing: nodeHashing });
}
