import { closeSync, readSync } from 'node:fs';
import { type ErrorDetails, RcnnError, unpackHint } from '@rcnn/core/errors';
import { openRegularSync, readTextSync } from '@rcnn/files';

/** What a JSON file holds; a byte order mark is passed over. @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, FILE_MALFORMED */
export function readJson(path: string): unknown {
  const text = readTextSync(path);
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const hint = unpackHint(headOf(path));
    if (hint !== undefined) throw notJson(path, { hint, cause });
    throw notJson(path, { found: cause instanceof Error ? cause.message : String(cause), cause });
  }
}

function notJson(where: string, more: Omit<ErrorDetails, 'where' | 'problem'>): RcnnError {
  return new RcnnError('FILE_MALFORMED', { where, problem: 'the file is not JSON', ...more });
}

/** The first bytes: as text they have lost what is no UTF-8. */
function headOf(path: string): Uint8Array {
  const file = openRegularSync(path);
  try {
    const head = new Uint8Array(8);
    return head.subarray(0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}
