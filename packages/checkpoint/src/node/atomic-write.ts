import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { isRcnnError } from '@rcnn/core/errors';
import { fileError, requireReplaceable } from '@rcnn/files';
import { type FileSystem, nodeFileSystem } from './file-system.ts';

export interface AtomicWriteOptions {
  /** For tests: a file system that fails or forgets. */
  readonly fileSystem?: FileSystem;
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Writes a file so that whatever happens, a crash or a power cut included, `path` holds either what it held or all
 * of the new bytes: a temporary file beside it, fsync, rename, fsync of the directory. When it throws, `path` is as
 * it was and the temporary file is gone (after a crash {@link sweepTemporaries} removes it).
 * @throws DISK_FULL, FILE_MISSING (the directory), IO_FAILED; and whatever `contents` throws
 */
export async function atomicWrite(
  path: string,
  contents: Uint8Array | string | Chunks,
  { fileSystem = nodeFileSystem }: AtomicWriteOptions = {},
): Promise<void> {
  await requireReplaceable(path);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  let created = false;
  try {
    const file = await fileSystem.create(temporary);
    created = true;
    try {
      for await (const chunk of asChunks(contents)) await file.write(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await fileSystem.rename(temporary, path);
    created = false;
    await fileSystem.syncDirectory(dirname(path));
  } catch (error) {
    if (created) await fileSystem.remove(temporary).catch(() => undefined); // the first error is the one to tell
    throw isRcnnError(error) || !isSystemError(error) ? error : fileError(path, 'cannot be written', error);
  }
}

/**
 * Gives a finished file, such as a verified download, its final name, as durably as {@link atomicWrite} does.
 * Both must be in one directory. @throws IO_FAILED, FILE_MISSING
 */
export async function commitFile(
  from: string,
  path: string,
  { fileSystem = nodeFileSystem }: AtomicWriteOptions = {},
): Promise<void> {
  await requireReplaceable(path);
  try {
    const file = await fileSystem.append(from);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await fileSystem.rename(from, path);
    await fileSystem.syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(path, 'cannot be put in its place', error);
  }
}

/**
 * Removes temporary files that a killed process left in `directory`, and gives their names. Call it only while nobody
 * else writes there (hold the lock of the run).
 */
export async function sweepTemporaries(
  directory: string,
  { fileSystem = nodeFileSystem }: AtomicWriteOptions = {},
): Promise<string[]> {
  try {
    const stray = (await fileSystem.list(directory)).filter((name) => TEMPORARY.test(name));
    for (const name of stray) await fileSystem.remove(join(directory, name));
    return stray;
  } catch (error) {
    throw fileError(directory, 'cannot be swept', error);
  }
}

const TEMPORARY = /^\..+\.[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\.tmp$/;

function asChunks(contents: Uint8Array | string | Chunks): Chunks {
  if (typeof contents === 'string') return [new TextEncoder().encode(contents)];
  return contents instanceof Uint8Array ? [contents] : contents;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
}
