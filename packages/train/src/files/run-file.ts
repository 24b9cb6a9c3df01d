import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { fileError } from '@rcnn/checkpoint/node';
import { RcnnError } from '@rcnn/core/errors';
import type { z } from 'zod';

/** A pipe without a writer would make opening wait for ever. Windows knows neither pipes in folders nor the flag. */
const AT_ONCE: number = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The text of a file of a run folder, at once or not at all.
 * @throws FILE_MISSING, IO_FAILED; FILE_REFUSED for a folder, pipe, device or socket
 */
export function readRunText(path: string): string {
  let file: number;
  try {
    file = openSync(path, AT_ONCE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') throw notAFile(path); // a socket cannot even be opened
    throw fileError(path, 'cannot be read', error);
  }
  try {
    if (!fstatSync(file).isFile()) throw notAFile(path);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/**
 * A JSON file that only tells of the past: what cannot be read, or is of another form, is passed over, because a run
 * goes on just as well without it.
 */
export function readHistory<T>(path: string, form: z.ZodType<T>): T | undefined {
  try {
    const { data } = form.safeParse(JSON.parse(readRunText(path)));
    return data;
  } catch {
    return undefined;
  }
}

function notAFile(path: string): RcnnError {
  return new RcnnError('FILE_REFUSED', {
    where: path,
    problem: 'not a regular file',
    expected: 'a file of the run, not a folder, pipe, device or socket',
    hint: 'Put the file back, or begin a new run.',
  });
}
