import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { fileError } from '@rcnn/files';
import { goOnWithoutReader } from '../output/print.ts';

/**
 * Refuses the empty name: a shell gives it for a variable that is not set, and paths take it for the current folder.
 * @throws INVALID_ARGUMENT
 */
export function requireName(option: string, name: string | undefined): void {
  if (name !== '') return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: option,
    problem: 'the name is empty',
    expected: 'the name of a file or folder',
    hint: 'A shell variable that is not set leaves it empty; the current folder is written as a dot.',
  });
}

/**
 * Refuses a file for results that could not be written, before the work is done whose results it is for: tries it with
 * an empty file beside it, under a name of the length that writing needs.
 * @param stdout whether `-` stands for stdout
 * @throws FILE_MISSING, INVALID_ARGUMENT, IO_FAILED, DISK_FULL
 */
export function requireWritable(
  option: string,
  file: string | undefined,
  { stdout = false }: { readonly stdout?: boolean } = {},
): void {
  if (file === undefined || (stdout && file === '-')) return;
  requireName(option, file);
  if (file === '-') throw notOnStdout(option);
  goOnWithoutReader();
  const folder = dirname(file);
  if (statsOf(folder)?.isDirectory() !== true) {
    throw new RcnnError('FILE_MISSING', {
      where: option,
      place: file,
      problem: 'there is no such folder to write into',
      hint: 'Make it first, or name another file.',
    });
  }
  const there = statsOf(file);
  if (there !== undefined && !there.isFile()) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: option,
      place: file,
      problem: there.isDirectory()
        ? 'this is a folder; name a file'
        : 'this is a pipe or device, and a file would take its place',
      ...(!there.isDirectory() && { hint: 'Name a file.' }),
    });
  }
  tryIn(folder, `.${basename(file)}.${randomUUID()}.tmp`, option, file);
}

/**
 * The same for a folder, which need not be there: then in the nearest one above it. Makes none.
 * @throws INVALID_ARGUMENT, FILE_EXISTS, IO_FAILED, DISK_FULL
 */
export function requireWritableFolder(option: string, folder: string | undefined): void {
  if (folder === undefined) return;
  requireName(option, folder);
  goOnWithoutReader();
  let nearest = folder;
  while (statsOf(nearest) === undefined && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if (statsOf(nearest)?.isDirectory() !== true) {
    throw new RcnnError('FILE_EXISTS', {
      where: option,
      place: folder,
      problem: `${quoteName(nearest)} is a file, and a folder is wanted there`,
      hint: 'Name another folder.',
    });
  }
  const next = nearest === folder ? '' : relative(nearest, folder).split(sep)[0]!;
  tryIn(nearest, `.${next}.${randomUUID()}.tmp`, option, folder);
}

function notOnStdout(option: string): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', {
    where: option,
    place: '-',
    problem: 'this is not written to stdout',
    expected: 'the name of a file',
    hint: 'A file that is really called so is written as ./-',
  });
}

/**
 * Refuses two kinds of JSON on stdout: no program could read them.
 * @throws INVALID_ARGUMENT
 */
export function requireFreeStdout(option: string, file: string | undefined, json: boolean | undefined): void {
  if (file !== '-' || json !== true) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: option,
    place: '-',
    problem: 'stdout is taken by --json',
    hint: 'Name a file, or leave --json out.',
  });
}

/** What stands at a path; undefined for nothing, and for a path that no file could have. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // what is wrong with it is found when it is tried
  }
}

function tryIn(folder: string, name: string, option: string, shown: string): void {
  const trial = join(folder, name);
  try {
    closeSync(openSync(trial, 'wx'));
    rmSync(trial);
  } catch (cause) {
    throw fileError(shown, `${option} cannot be written`, cause);
  }
}
