// Reads JSON at an address. Text ends with zeros, which no value of JSON holds, so that nothing watches for its end.

/** Where the last value ended. */
export let valueEnd: usize = 0;
/** Where the last failure was. */
export let failure: usize = 0;

// prettier-ignore
const TENS = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]);

const MAX_DEPTH = 16;

export function fail(at: usize): usize {
  failure = at;
  return 0;
}

function failNumber(at: usize): f64 {
  failure = at;
  valueEnd = 0;
  return NaN;
}

/** The first byte from `p` on that is not white space. */
export function skipSpace(p: usize): usize {
  while (true) {
    const c = load<u8>(p);
    if (c > 0x20 || (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09)) return p;
    p++;
  }
}

function digitAt(p: usize): u32 {
  return <u32>load<u8>(p) - 48;
}

/**
 * The number at `p`, rounded as JSON.parse rounds. `valueEnd` is after it, or 0 for what is no plain number, has more
 * than 19 digits, or lies too near the middle of two doubles.
 */
export function readNumber(p: usize): f64 {
  const start = p;
  const negative = load<u8>(p) == 0x2d;
  if (negative) p++;
  let digit = digitAt(p);
  if (digit > 9) return failNumber(p);
  let whole: u64 = digit;
  let digits = <i32>(digit != 0);
  let decimals = 0;
  digit = digitAt(++p);
  if (whole == 0) {
    if (digit <= 9) return failNumber(start); // 01
  } else {
    while (digit <= 9) {
      whole = whole * 10 + digit;
      digits++;
      digit = digitAt(++p);
    }
  }
  if (digit == <u32>(0x2e - 48)) {
    digit = digitAt(++p);
    if (digit > 9) return failNumber(p);
    do {
      whole = whole * 10 + digit;
      digits += <i32>(whole != 0);
      decimals++;
      digit = digitAt(++p);
    } while (digit <= 9);
  }
  if (digits > 19) return failNumber(start);
  if ((load<u8>(p) | 0x20) == 0x65) {
    p++;
    let sign = 1;
    const c = load<u8>(p);
    if (c == 0x2d || c == 0x2b) {
      sign = c == 0x2d ? -1 : 1;
      p++;
    }
    digit = digitAt(p);
    if (digit > 9) return failNumber(p);
    let exponent = 0;
    do {
      if (exponent < 10000) exponent = exponent * 10 + digit;
      digit = digitAt(++p);
    } while (digit <= 9);
    decimals -= sign * exponent;
  }
  let value: f64;
  if (decimals <= 0) {
    if (decimals < -22 || (decimals < 0 && whole > 1 << 53)) return failNumber(start);
    value = <f64>whole * load<f64>(TENS + ((<usize>-decimals) << 3));
  } else {
    if (decimals > 22) return failNumber(start);
    const scale = load<f64>(TENS + ((<usize>decimals) << 3));
    value = whole <= 1 << 53 ? <f64>whole / scale : divideExactly(whole, scale);
    if (value != value) return failNumber(start);
  }
  valueEnd = p;
  return negative ? -value : value;
}

/** `whole / scale` rounded once: the remainder is kept exactly (Dekker 1971). NaN when that cannot be told. */
function divideExactly(whole: u64, scale: f64): f64 {
  const high = <f64>whole;
  const low = <f64>(<i64>(whole - <u64>high));
  const quotient = high / scale;
  const product = quotient * scale;
  const rest = high - product - productError(quotient, scale, product) + low;
  const correction = rest / scale;
  const value = quotient + correction;
  const doubt = abs(correction) * 9.094947017729282e-13; // 2^-40
  return quotient + (correction - doubt) == value && quotient + (correction + doubt) == value ? value : NaN;
}

/** `a * b - product`, exactly. */
function productError(a: f64, b: f64, product: f64): f64 {
  const aBig = a * 134217729; // 2^27 + 1
  const aHigh = aBig - (aBig - a);
  const aLow = a - aHigh;
  const bBig = b * 134217729;
  const bHigh = bBig - (bBig - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** From a quote to after the quote that ends the string, or 0. */
export function skipString(p: usize): usize {
  p++;
  while (true) {
    const v = v128.load(p);
    const ends = v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
      i8x16.lt_u(v, i8x16.splat(0x20)),
    );
    const bits = i8x16.bitmask(ends);
    if (bits == 0) {
      p += 16;
      continue;
    }
    p += ctz(bits);
    const c = load<u8>(p);
    if (c == 0x22) return p + 1;
    if (c != 0x5c) return fail(p);
    p += 2;
  }
}

/** After the value at `p`, or 0. */
export function skipValue(p: usize, depth: i32): usize {
  const c = load<u8>(p);
  if (c == 0x22) return skipString(p);
  if (c == 0x2d || <u32>c - 48 <= 9) return skipNumber(p);
  if (c == 0x5b) return depth > MAX_DEPTH ? fail(p) : skipList(p, depth);
  if (c == 0x7b) return depth > MAX_DEPTH ? fail(p) : skipObject(p, depth);
  return skipWord(p);
}

function skipWord(p: usize): usize {
  const word = load<u32>(p);
  if (word == 0x65757274 || word == 0x6c6c756e) return p + 4; // true, null
  if (word == 0x736c6166 && load<u8>(p, 4) == 0x65) return p + 5; // false
  // A word that the text cuts short is not known yet: whoever asks again with more text will know.
  let end = p;
  while (<u32>load<u8>(end) - 97 < 26) end++;
  return fail(end);
}

/** By its characters; what it is worth is not asked. */
function skipNumber(p: usize): usize {
  if (load<u8>(p) == 0x2d && digitAt(p + 1) > 9) return fail(p + 1);
  while (true) {
    const c = load<u8>(++p);
    if (<u32>c - 48 > 9 && c != 0x2e && c != 0x65 && c != 0x45 && c != 0x2d && c != 0x2b) return p;
  }
}

/**
 * From a digit to the end of a number after it, over as many numbers as follow with `,` or `, ` between them: outlines
 * are most of a file of annotations. What stands between is right, or left to whoever asks.
 */
function skipNumbers(p: usize): usize {
  while (true) {
    const v = v128.load(p);
    const before = v128.load(p - 1);
    const next = v128.load(p, 1);
    const second = v128.load(p, 2);
    const comma = is(v, 0x2c);
    const begins = v128.or(isBegin(next, second), v128.and(is(next, 0x20), isBegin(second, v128.load(p, 3))));
    const spaced = v128.and(is(v, 0x20), is(before, 0x2c));
    const wrong = v128.or(v128.andnot(comma, begins), v128.not(v128.or(v128.or(isOfNumber(v), comma), spaced)));
    const bits = i8x16.bitmask(wrong);
    if (bits != 0) return p + ctz(bits);
    p += 16;
  }
}

function is(v: v128, byte: i8): v128 {
  return i8x16.eq(v, i8x16.splat(byte));
}

function isDigit(v: v128): v128 {
  return i8x16.lt_u(i8x16.sub(v, i8x16.splat(0x30)), i8x16.splat(10));
}

/** A digit, or a minus with a digit after it. */
function isBegin(v: v128, next: v128): v128 {
  return v128.or(isDigit(v), v128.and(is(v, 0x2d), isDigit(next)));
}

/** Digits, signs, point and the e of an exponent. */
function isOfNumber(v: v128): v128 {
  const e = is(v128.or(v, i8x16.splat(0x20)), 0x65);
  return v128.or(v128.or(isDigit(v), e), v128.or(v128.or(is(v, 0x2e), is(v, 0x2d)), is(v, 0x2b)));
}

function skipList(p: usize, depth: i32): usize {
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x5d) return p + 1;
  while (true) {
    p = digitAt(p) <= 9 ? skipNumbers(p) : skipValue(p, depth + 1);
    if (p == 0) return 0;
    p = skipSpace(p);
    const next = load<u8>(p);
    if (next == 0x5d) return p + 1;
    if (next != 0x2c) return fail(p);
    p = skipSpace(p + 1);
  }
}

function skipObject(p: usize, depth: i32): usize {
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x7d) return p + 1;
  while (true) {
    if (load<u8>(p) != 0x22) return fail(p);
    p = skipString(p);
    if (p == 0) return 0;
    p = skipSpace(p);
    if (load<u8>(p) != 0x3a) return fail(p);
    p = skipValue(skipSpace(p + 1), depth + 1);
    if (p == 0) return 0;
    p = skipSpace(p);
    const next = load<u8>(p);
    if (next == 0x7d) return p + 1;
    if (next != 0x2c) return fail(p);
    p = skipSpace(p + 1);
  }
}
