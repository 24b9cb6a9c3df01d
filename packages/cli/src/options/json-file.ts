import { type ErrorDetails, RcnnError } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';

/** What a JSON file holds; a byte order mark is passed over. @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, FILE_MALFORMED */
export function readJson(path: string): unknown {
  const text = readTextSync(path);
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    if (text.startsWith('\u001f')) throw notJson(path, { hint: 'It is packed with gzip: unpack it first.', cause });
    throw notJson(path, { found: cause instanceof Error ? cause.message : String(cause), cause });
  }
}

function notJson(where: string, more: Omit<ErrorDetails, 'where' | 'problem'>): RcnnError {
  return new RcnnError('FILE_MALFORMED', { where, problem: 'the file is not JSON', ...more });
}
