// Rows of annotations and results, from JSON to numbers.
import { fail, failure, readNumber, skipSpace, skipString, skipValue, valueEnd } from './json';

/** Doubles of a row: see `src/read/native-rows.ts`. */
const ROW: usize = 15 * 8;

/** After the last row that was read. */
let end: usize = 0;

export function rowsEnd(): usize {
  return end;
}

/** Where the row that was not read stopped making sense: at the end of the text it was only cut off. */
export function failedAt(): usize {
  return failure;
}

/**
 * Reads rows from `p` on, with commas between them, to `out`. Stops before the first that has anything unusual (text as
 * id, keypoints, a number that is none …), that the text cuts off, or beyond `capacity`. Gives how many were read.
 */
export function readRows(p: usize, out: usize, capacity: i32): i32 {
  end = p;
  for (let count = 0; count < capacity; count++) {
    p = readRow(skipSpace(p), out);
    if (p == 0) return count;
    end = p;
    out += ROW;
    p = skipSpace(p);
    if (load<u8>(p) != 0x2c) return count + 1;
    p++;
  }
  return capacity;
}

/** One object. Gives where it ends, or 0. */
function readRow(p: usize, out: usize): usize {
  for (let i: usize = 0; i < ROW; i += 8) store<f64>(out + i, NaN);
  store<f64>(out, 0, 5 * 8); // no crowd
  store<f64>(out, 0, 11 * 8); // no box
  store<f64>(out, -1, 12 * 8); // no mask
  store<f64>(out, -1, 13 * 8);
  store<f64>(out, <f64>p, 14 * 8);
  if (load<u8>(p) != 0x7b) return fail(p);
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x7d) return p + 1;
  while (true) {
    if (load<u8>(p) != 0x22) return fail(p);
    const key = p + 1;
    p = skipString(p);
    if (p == 0) return 0;
    const length = <i32>(p - key - 1);
    p = skipSpace(p);
    if (load<u8>(p) != 0x3a) return fail(p);
    p = skipSpace(p + 1);
    p = readField(key, length, p, out);
    if (p == 0) return 0;
    p = skipSpace(p);
    const next = load<u8>(p);
    if (next == 0x7d) return p + 1;
    if (next != 0x2c) return fail(p);
    p = skipSpace(p + 1);
  }
}

/** Words of keys, as their bytes lie in memory. */
const BBOX = 0x786f6262;
const AREA = 0x61657261;
const SCOR = 0x726f6373;
const ISCR = 0x72637369;
const IMAGE_ID: u64 = 0x64695f6567616d69;
const CATEGORY: u64 = 0x79726f6765746163;
const Y_ID = 0x64695f79;
const SEGMENTA: u64 = 0x61746e656d676573;
const TION = 0x6e6f6974;
const NUM_KEYP: u64 = 0x7079656b5f6d756e;
const KEYPOINT: u64 = 0x746e696f7079656b;

function readField(key: usize, length: i32, p: usize, out: usize): usize {
  switch (length) {
    case 2:
      if (load<u16>(key) == 0x6469) return readId(p, out); // id
      break;
    case 4:
      if (load<u32>(key) == BBOX) return readBox(p, out);
      if (load<u32>(key) == AREA) return readInto(p, out, 4 * 8);
      break;
    case 5:
      if (load<u32>(key) == SCOR && load<u8>(key, 4) == 0x65) return readInto(p, out, 3 * 8);
      break;
    case 7:
      if (load<u32>(key) == ISCR && load<u32>(key, 3) == 0x64776f72) return readCrowd(p, out);
      break;
    case 8:
      if (load<u64>(key) == IMAGE_ID) return readId(p, out + 8);
      break;
    case 9:
      if (load<u64>(key) == KEYPOINT) return fail(p);
      break;
    case 11:
      if (load<u64>(key) == CATEGORY && load<u32>(key, 7) == Y_ID) return readId(p, out + 16);
      break;
    case 12:
      if (load<u64>(key) == SEGMENTA && load<u32>(key, 8) == TION) return readSegmentation(p, out);
      break;
    case 13:
      if (load<u64>(key) == NUM_KEYP) return readInto(p, out, 6 * 8);
      break;
  }
  return skipValue(p, 0);
}

function readInto(p: usize, out: usize, field: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  store<f64>(out + field, value);
  return valueEnd;
}

/** Whole numbers that doubles cannot tell apart are left to JavaScript. */
function readId(p: usize, out: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  if (abs(value) > 9007199254740991) return fail(p);
  store<f64>(out, value);
  return valueEnd;
}

function readCrowd(p: usize, out: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  store<f64>(out, value == 0 ? 0 : 1, 5 * 8);
  return valueEnd;
}

function readBox(p: usize, out: usize): usize {
  if (load<u8>(p) != 0x5b) return fail(p);
  p++;
  for (let i: usize = 0; i < 4; i++) {
    const value = readNumber(skipSpace(p));
    if (valueEnd == 0) return 0;
    store<f64>(out + ((7 + i) << 3), value);
    p = skipSpace(valueEnd);
    if (load<u8>(p) != (i < 3 ? 0x2c : 0x5d)) return fail(p);
    p++;
  }
  store<f64>(out, 4, 11 * 8);
  return p;
}

function readSegmentation(p: usize, out: usize): usize {
  const c = load<u8>(p);
  const after = skipValue(p, 0);
  if (after == 0) return 0;
  if (c == 0x5b || c == 0x7b) {
    store<f64>(out, <f64>p, 12 * 8);
    store<f64>(out, <f64>after, 13 * 8);
  } else {
    if (load<u32>(p) != 0x6c6c756e) return fail(p); // null
    store<f64>(out, -1, 12 * 8);
  }
  return after;
}
