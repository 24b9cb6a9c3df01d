import type { FileHandle } from 'node:fs/promises';
import { RcnnError } from '@rcnn/core/errors';
import { fileError, openRegular } from '@rcnn/files';

/**
 * The names in a list: one a line, or with a zero byte between them, as `find -print0` writes it for names with line
 * breaks. Blank lines and a byte order mark are passed over. Names are relative to the folder where the program runs.
 * @param file `-` for stdin
 * @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, DATASET_INVALID for an empty list
 */
export async function readList(file: string): Promise<string[]> {
  const text = file === '-' ? await textOf(process.stdin) : await textOfFile(file);
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
    return await handle.readFile('utf8');
  } catch (error) {
    throw fileError(file, 'the list cannot be read', error);
  } finally {
    await handle.close();
  }
}

async function textOf(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
