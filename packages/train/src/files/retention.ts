import { randomUUID } from 'node:crypto';
import { copyFile, link } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCheckpoint, nodeFileSystem } from '@rcnn/checkpoint/node';
import { fileError } from '@rcnn/files';

/** The calls that keeping numbered checkpoints needs; tests put their own in. */
export interface RetentionFiles {
  /** Gives a file a second name, or copies it where the file system has no such thing. */
  duplicate(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  syncDirectory(path: string): Promise<void>;
  /** Reads a whole checkpoint and compares its digests. */
  verify(path: string): Promise<void>;
}

export interface RetentionOptions {
  /** Where `last.safetensors` and the numbered checkpoints are. */
  readonly directory: string;
  /** Steps done in `last.safetensors`. */
  readonly step: number;
  /** How many numbered checkpoints stay. */
  readonly keep: number;
  /** The step of the best weights, if there are any: its state stays. */
  readonly bestStep?: number | undefined;
  readonly files?: RetentionFiles;
}

const LAST = 'last.safetensors';
const NUMBERED = /^step-(\d+)\.safetensors$/;

/**
 * Keeps the newest `keep` states beside `last.safetensors`, as `step-<n>.safetensors`. Old ones go only after the new
 * one was read back whole. The best one stays, and so does each that has a file `step-<n>.safetensors.pin` beside it or
 * that was given another name.
 * @throws DIGEST_MISMATCH, DISK_FULL, IO_FAILED; then nothing has been removed that was needed
 */
export async function keepNumbered({ directory, step, keep, bestStep, files = real }: RetentionOptions): Promise<void> {
  const name = `step-${step}.safetensors`;
  const path = join(directory, name);
  const temporary = join(directory, `.${name}.${randomUUID()}.tmp`); // swept when a process died
  try {
    await files.duplicate(join(directory, LAST), temporary);
    await files.verify(temporary); // before it is called a checkpoint: a damaged one must not count as one of `keep`
    await files.rename(temporary, path);
    await files.syncDirectory(directory);
    const names = await files.list(directory);
    for (const old of superfluous(names, keep, bestStep)) await files.remove(join(directory, old));
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw typeof (error as { code?: unknown }).code === 'string' && (error as Error).name !== 'RcnnError'
      ? fileError(path, 'cannot be kept', error)
      : error;
  }
}

/** The numbered checkpoints that may go: all but the newest, the best and those that are pinned. */
function superfluous(names: readonly string[], keep: number, bestStep: number | undefined): string[] {
  const numbered = names
    .flatMap((name) => {
      const step = NUMBERED.exec(name)?.[1];
      return step === undefined ? [] : [{ name, step: Number(step) }];
    })
    .toSorted((a, b) => b.step - a.step);
  return numbered
    .slice(keep)
    .filter(({ name, step }) => step !== bestStep && !names.includes(`${name}.pin`))
    .map(({ name }) => name);
}

const real: RetentionFiles = {
  rename: nodeFileSystem.rename,
  remove: nodeFileSystem.remove,
  list: nodeFileSystem.list,
  syncDirectory: nodeFileSystem.syncDirectory,
  // `last` is replaced, never written into, so a second name is as good as a copy.
  duplicate: (from, to) => link(from, to).catch(() => copyFile(from, to)),
  async verify(path) {
    const checkpoint = await loadCheckpoint(path);
    try {
      await checkpoint.verify();
    } finally {
      await checkpoint.close();
    }
  },
};
