import { RcnnError } from '@rcnn/core/errors';

/** Bytes of UTF-16 that are turned into UTF-8 at once. */
const PIECE = 2 ** 20;

/**
 * The bytes as UTF-8 without a byte order mark: Windows tools write one, and some write UTF-16.
 * @throws FILE_MALFORMED for an encoding that JSON does not have
 */
export function asUtf8(bytes: Uint8Array, where: string): Uint8Array {
  const [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]];
  if (a === 0xef && b === 0xbb && c === 0xbf) return bytes.subarray(3);
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    throw malformed(where, 'the text is UTF-32', 'Save it as UTF-8.');
  }
  // Without a mark a zero byte betrays UTF-16: JSON begins with ASCII and has no zeros.
  if ((a === 0xff && b === 0xfe) || (b === 0 && a !== undefined && a !== 0)) return fromUtf16(bytes, 'utf-16le', where);
  if ((a === 0xfe && b === 0xff) || (a === 0 && b !== undefined && b !== 0)) return fromUtf16(bytes, 'utf-16be', where);
  return bytes;
}

/** The decoder passes over a byte order mark by itself. */
function fromUtf16(bytes: Uint8Array, encoding: 'utf-16le' | 'utf-16be', where: string): Uint8Array {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const encoder = new TextEncoder();
  const text = new Uint8Array(Math.ceil(bytes.length / 2) * 3); // a unit of two bytes becomes three at most
  let length = 0;
  try {
    for (let at = 0; at < bytes.length; at += PIECE) {
      // A copy: decoders refuse memory that threads share.
      const piece = decoder.decode(bytes.slice(at, at + PIECE), { stream: at + PIECE < bytes.length });
      length += encoder.encodeInto(piece, text.subarray(length)).written;
    }
  } catch (cause) {
    throw malformed(where, `the text begins as ${encoding.toUpperCase()}, but is not`, 'Save it as UTF-8.', cause);
  }
  return text.subarray(0, length);
}

function malformed(where: string, problem: string, hint: string, cause?: unknown): RcnnError {
  return new RcnnError('FILE_MALFORMED', { where, problem, hint, cause });
}
