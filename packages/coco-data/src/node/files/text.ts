import { RcnnError, unpackHint } from '@rcnn/core/errors';
import { openRegular } from '@rcnn/files';
import { jsonErrorAt, jsonFault } from '../../formats/json/json-error.ts';
import { readRegular } from './regular-file.ts';

/** Of one annotation file that is read as a whole. COCO files are read piece by piece and may be larger. */
const MAX_BYTES = 256 * 2 ** 20;

/** Levels of nesting in a JSON file: formats need up to 8, and deeper files would exhaust the stack of `JSON.parse`. */
const MAX_DEPTH = 64;

/** How a text file is encoded, by its first bytes. */
type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** By byte order mark or, without one, by the zero byte that every second byte of Latin text is in UTF-16. */
function encodingOf(head: Uint8Array): Encoding {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] !== 0 && head[1] === 0)) return 'utf-16le';
  return (head[0] === 0xfe && head[1] === 0xff) || (head[0] === 0 && head[1] !== 0) ? 'utf-16be' : 'utf-8';
}

/** A text file, in UTF-8 or UTF-16, without its byte order mark. @throws FILE_MALFORMED for other bytes */
export async function readText(path: string, most: number = MAX_BYTES): Promise<string> {
  const bytes = await readRegular(path, most);
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch (cause) {
    const declared = declaredText(bytes);
    if (declared !== undefined) return declared;
    throw new RcnnError('FILE_MALFORMED', {
      where: path,
      problem: 'the text is neither UTF-8 nor UTF-16',
      hint: unpackHint(bytes) ?? 'Save it as UTF-8.',
      cause,
    });
  }
}

/** The text of an XML file in the encoding that its first line names, where that is another than UTF-8. */
function declaredText(bytes: Uint8Array): string | undefined {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 200));
  const name = /^\s*<\?xml[^>]*\sencoding=["']([\w.:-]+)["']/.exec(head)?.[1];
  if (name === undefined || /^utf-?(?:8|16)/i.test(name)) return undefined;
  try {
    return new TextDecoder(name, { fatal: true }).decode(bytes);
  } catch {
    return undefined; // no such encoding, or the bytes are not in it
  }
}

/** The beginning of a text file, to tell what it is. */
export async function readHead(path: string, bytes: number = 2 ** 16): Promise<string> {
  const handle = await openRegular(path);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(bytes), 0, bytes, 0);
    const head = buffer.subarray(0, bytesRead);
    return new TextDecoder(encodingOf(head)).decode(head);
  } finally {
    await handle.close();
  }
}

/** The bytes of a text file in pieces, as UTF-8 whatever it was saved as. */
export async function* utf8Chunks(path: string): AsyncGenerator<Uint8Array> {
  const handle = await openRegular(path);
  let decoder: TextDecoder | undefined;
  const encoder = new TextEncoder();
  let first = true;
  for await (const piece of handle.createReadStream({ highWaterMark: 2 ** 20 })) {
    const chunk = piece as Uint8Array;
    if (first) {
      const encoding = encodingOf(chunk);
      if (encoding !== 'utf-8') decoder = new TextDecoder(encoding);
      first = false;
    }
    yield decoder === undefined ? chunk : encoder.encode(decoder.decode(chunk, { stream: true }));
  }
  const rest = decoder?.decode();
  if (rest) yield encoder.encode(rest);
}

/** A JSON file as a value. @throws FILE_MALFORMED, FILE_TRUNCATED with line and column */
export async function readJSON(path: string): Promise<unknown> {
  const text = await readText(path);
  const deep = tooDeepAt(text);
  if (deep !== undefined)
    throw new RcnnError('FILE_MALFORMED', {
      where: path,
      place: place(text, deep),
      problem: `nested deeper than ${MAX_DEPTH} levels`,
    });
  try {
    return JSON.parse(text);
  } catch (cause) {
    const at = jsonErrorAt(text);
    const { problem, hint } = jsonFault(text.slice(at, at + 16), text.slice(0, at));
    throw new RcnnError(at >= text.trimEnd().length ? 'FILE_TRUNCATED' : 'FILE_MALFORMED', {
      where: path,
      place: place(text, at),
      problem: `the file ${problem}`,
      ...(hint !== undefined && { hint }),
      cause,
    });
  }
}

function place(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

function tooDeepAt(text: string): number | undefined {
  let [depth, inString] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (inString) {
      if (character === 0x5c) i++;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x7b || character === 0x5b) {
      if (++depth > MAX_DEPTH) return i;
    } else if (character === 0x7d || character === 0x5d) depth--;
  }
  return undefined;
}
