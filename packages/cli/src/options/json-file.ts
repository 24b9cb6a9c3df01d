import { RcnnError } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';

/** What a JSON file holds; a byte order mark is passed over. @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, FILE_MALFORMED */
export function readJson(path: string): unknown {
  const text = readTextSync(path);
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new RcnnError('FILE_MALFORMED', { where: path, problem: 'the file is not JSON', found, cause });
  }
}
