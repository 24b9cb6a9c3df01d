import type { FileHandle } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, openRegular } from '@rcnn/files';

/** Bytes of a list at most: a hundred thousand names are ten million bytes, and an endless pipe must end. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * The names in a list: one a line, or with a zero byte between them, as `find -print0` writes it for names with line
 * breaks. Blank lines and a byte order mark are passed over. Names are relative to the folder where the program runs.
 * @param file `-` for stdin
 * @throws FILE_MISSING, FILE_REFUSED (also above 256 MiB), IO_FAILED, DATASET_INVALID for an empty list
 */
export async function readList(file: string): Promise<string[]> {
  const text = file === '-' ? await textOf(process.stdin, 'stdin') : await textOfFile(file);
  const separator = text.includes('\0') ? '\0' : /\r?\n/;
  const names = text
    .replace(/^\uFEFF/, '')
    .split(separator)
    .filter((name) => name.trim() !== '');
  if (names.length > 0) return names;
  throw new RcnnError('DATASET_INVALID', {
    where: file === '-' ? 'stdin' : file,
    problem: 'the list is empty',
    expected: 'a name of an image or archive on each line',
  });
}

async function textOfFile(file: string): Promise<string> {
  const handle: FileHandle = await openRegular(file);
  try {
    return await textOf(handle.createReadStream({ autoClose: false }), file);
  } catch (error) {
    throw error instanceof RcnnError ? error : fileError(file, 'the list cannot be read', error);
  } finally {
    await handle.close();
  }
}

async function textOf(stream: AsyncIterable<Buffer | string>, where: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > MAX_BYTES) throw tooLong(where);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLong(where: string): RcnnError {
  return new RcnnError('FILE_REFUSED', {
    where,
    problem: 'the list is too long',
    expected: `at most ${MAX_BYTES / 2 ** 20} MiB`,
    hint: 'Is it a list of names, one a line? A long one can be split.',
  });
}
