import type { Random } from '@rcnn/core/random';

/** Texts that readers of numbers, names and structures trip over. */
const NASTY: readonly string[] = [
  '',
  '0',
  '-0',
  '-1',
  '1e999',
  '1e-400',
  'NaN',
  'Infinity',
  'null',
  'true',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '99999999999999999999999999',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '\\',
  '\\u0000',
  '\\ud800',
  '\n',
  '\0',
  '\u001b]0;x\u0007',
  '\u202e',
  '\u2028',
  '🦀',
  '\ufeff',
  '-',
  '__proto__',
  'constructor',
  '../',
];

/** Bytes at the edges of what a field holds. */
const EDGES = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

/** A copy with one to four pieces changed: flips, edges, cuts, moves, repeats, words, pieces of another file. */
export function damaged(
  file: Uint8Array,
  others: readonly Uint8Array[],
  words: readonly string[],
  random: Random,
): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(file);
  for (let times = 1 + random.integer(4); times > 0; times--) bytes = once(bytes, others, words, random);
  return bytes;
}

function once(bytes: Uint8Array, others: readonly Uint8Array[], words: readonly string[], random: Random): Uint8Array {
  const at = random.integer(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + random.integer(1 + random.integer(64)));
  const piece = (from: Uint8Array): Uint8Array => {
    const begin = random.integer(from.length + 1);
    return from.subarray(begin, Math.min(from.length, begin + random.integer(64)));
  };
  switch (random.integer(10)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.integer(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.integer(256);
      return bytes;
    case 2:
      return bytes.fill(random.pick(EDGES), at, Math.min(to, at + 8));
    case 3:
      return bytes.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(to));
    case 5:
      return joined(bytes.subarray(0, to), bytes.subarray(at));
    case 6:
      return joined(bytes.subarray(0, at), piece(bytes), bytes.subarray(at));
    case 7:
      return joined(bytes.subarray(0, at), piece(random.pick(others)), bytes.subarray(to));
    case 8:
      return withNumber(bytes, random);
    default: {
      const word = new TextEncoder().encode(random.pick(words.length > 0 && random.chance(0.5) ? words : NASTY));
      return joined(bytes.subarray(0, at), word, bytes.subarray(random.chance(0.5) ? at : to));
    }
  }
}

/** One number that is written in digits becomes another. */
function withNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const isDigit = (at: number): boolean => bytes[at]! >= 0x30 && bytes[at]! <= 0x39;
  let begin = random.integer(bytes.length + 1);
  while (begin < bytes.length && !isDigit(begin)) begin++;
  let end = begin;
  while (end < bytes.length && isDigit(end)) end++;
  return joined(bytes.subarray(0, begin), new TextEncoder().encode(random.pick(NASTY)), bytes.subarray(end));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Values that a field of a JSON file does not expect. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 53,
  1e-320,
  '',
  '1',
  'x'.repeat(300),
  '\u001b]0;x\u0007\nerror FAKE: y',
  '\u202e',
  '\ud800',
  '../../x',
  '__proto__',
  [],
  {},
  [[]],
  [null],
  [1, 2],
  Array.from({ length: 50 }, () => 0),
];

/** A copy of a JSON value with one to three places changed, so that the text around them stays right. */
export function changedValue(value: unknown, random: Random): unknown {
  const copy: { root: unknown } = { root: structuredClone(value) };
  for (let times = 1 + random.integer(3); times > 0; times--) changeOnce(copy, random);
  return copy.root;
}

function changeOnce(copy: { root: unknown }, random: Random): void {
  // Goes down from the root, and stops with one chance in four at every step.
  let holder: Record<string, unknown> = copy;
  let key = 'root';
  for (;;) {
    const inside = holder[key];
    if (typeof inside !== 'object' || inside === null || random.chance(0.25)) break;
    const keys = Object.keys(inside);
    if (keys.length === 0) break;
    holder = inside as Record<string, unknown>;
    key = random.pick(keys);
  }
  const inside = holder[key];
  switch (random.integer(6)) {
    case 0:
      if (holder !== (copy as unknown)) delete holder[key];
      return;
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(key), 0, structuredClone(inside));
      else holder[`${key}2`] = structuredClone(inside);
      return;
    case 2:
      if (Array.isArray(inside)) for (let i = random.integer(20); i >= 0; i--) inside.push(structuredClone(inside[0]));
      else holder[key] = [inside];
      return;
    case 3:
      if (typeof inside === 'number')
        holder[key] = inside * random.pick([-1, 1e10, 0.1, 1e-10]) + random.pick([0, 1, -0.5]);
      else holder[key] = structuredClone(random.pick(VALUES));
      return;
    default:
      holder[key] = structuredClone(random.pick(VALUES));
  }
}
