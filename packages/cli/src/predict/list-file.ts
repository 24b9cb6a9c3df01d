import type { FileHandle } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, openRegular } from '@rcnn/files';

/** Bytes of a list at most: a hundred thousand names are ten million bytes, and an endless pipe must end. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * The names in a list: one a line, or with a zero byte between them, as `find -print0` writes it for names with line
 * breaks; in UTF-8, or with a byte order mark in UTF-16. Blank lines are passed over. Names are relative to the folder where the program runs.
 * @param file `-` for stdin
 * @throws FILE_MISSING, FILE_REFUSED (also above 256 MiB), IO_FAILED, DATASET_INVALID for an empty list
 */
export async function readList(file: string): Promise<string[]> {
  const text = file === '-' ? await textOf(process.stdin, 'stdin') : await textOfFile(file);
  const separator = text.includes('\0') ? '\0' : /\r?\n/;
  const names = text.split(separator).filter((name) => name.trim() !== '');
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
  const bytes = Buffer.concat(chunks);
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

/** By the mark alone: zero bytes may stand between names. Windows PowerShell writes UTF-16 when it is told `> list.txt`. */
function encodingOf(head: Uint8Array): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  return head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : 'utf-8';
}

function tooLong(where: string): RcnnError {
  return new RcnnError('FILE_REFUSED', {
    where,
    problem: 'the list is too long',
    expected: `at most ${MAX_BYTES / 2 ** 20} MiB`,
    hint: 'Is it a list of names, one a line? A long one can be split.',
  });
}
