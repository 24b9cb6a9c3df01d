import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';

/**
 * Refuses a file for results that could not be written, before the work is done whose results it is for.
 * @throws FILE_MISSING, INVALID_ARGUMENT
 */
export function requireWritable(option: string, file: string | undefined): void {
  if (file === undefined || file === '-') return;
  if (statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RcnnError('FILE_MISSING', {
      where: option,
      place: file,
      problem: 'there is no such folder to write into',
      hint: 'Make it first, or name another file.',
    });
  }
  const there = statSync(file, { throwIfNoEntry: false });
  if (there === undefined || there.isFile()) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: option,
    place: file,
    problem: there.isDirectory()
      ? 'this is a folder; name a file'
      : 'this is a pipe or device, and a file would take its place',
    ...(!there.isDirectory() && { hint: 'Name a file.' }),
  });
}
