// Rows of annotations and results, from JSON to numbers.
import { fail, failure, readNumber, skipSpace, skipString, skipValue, valueEnd } from './json';

// Columns of doubles, `capacity` long, one after the other; the box has four doubles for each row. See
// `src/read/native-rows.ts`.
const ID: usize = 0;
const IMAGE: usize = 1;
const CLASS: usize = 2;
const SCORE: usize = 3;
const AREA: usize = 4;
const CROWD: usize = 5;
const LABELLED: usize = 6;
const BOX: usize = 7; // to 10
const BOX_NUMBERS: usize = 11;
const MASK_START: usize = 12;
const MASK_END: usize = 13;
const BEGIN: usize = 14;
const HEIGHT: usize = 15;
const WIDTH: usize = 16;

/** Where the columns are, how long, and the row that is read. */
let columns: usize = 0;
let length: usize = 0;
let row: usize = 0;
/** What is added to an address to give the place in the file. */
let origin: f64 = 0;

function put(column: usize, value: f64): void {
  store<f64>(columns + ((column * length + row) << 3), value);
}

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
 * Reads rows from `p` on, with commas between them, to the columns at `out`. Stops before the first that has anything unusual (text as
 * id, keypoints, a number that is none …), that the text cuts off, or beyond `capacity`. Gives how many were read.
 */
export function readRows(p: usize, out: usize, capacity: i32, shift: f64): i32 {
  end = p;
  columns = out;
  length = capacity;
  origin = shift;
  for (let count = 0; count < capacity; count++) {
    row = count;
    p = readRow(skipSpace(p));
    if (p == 0) return count;
    end = p;
    p = skipSpace(p);
    if (load<u8>(p) != 0x2c) return count + 1;
    p++;
  }
  return capacity;
}

/** One object. Gives where it ends, or 0. */
function readRow(p: usize): usize {
  for (let column = ID; column <= LABELLED; column++) put(column, NaN);
  put(CROWD, 0);
  for (let i: usize = 0; i < 4; i++) putBox(i, NaN);
  put(BOX_NUMBERS, 0);
  put(MASK_START, -1);
  put(MASK_END, -1);
  put(BEGIN, <f64>p + origin);
  put(HEIGHT, NaN);
  put(WIDTH, NaN);
  if (load<u8>(p) != 0x7b) return fail(p);
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x7d) return p + 1;
  while (true) {
    if (load<u8>(p) != 0x22) return fail(p);
    const key = p + 1;
    p = skipString(p);
    if (p == 0) return 0;
    const size = <i32>(p - key - 1);
    p = skipSpace(p);
    if (load<u8>(p) != 0x3a) return fail(p);
    p = skipSpace(p + 1);
    p = readField(key, size, p);
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
const AREA_WORD = 0x61657261;
const SCOR = 0x726f6373;
const WIDT = 0x74646977;
const HEIG = 0x67696568;
const ISCR = 0x72637369;
const IMAGE_ID: u64 = 0x64695f6567616d69;
const CATEGORY: u64 = 0x79726f6765746163;
const Y_ID = 0x64695f79;
const SEGMENTA: u64 = 0x61746e656d676573;
const TION = 0x6e6f6974;
const NUM_KEYP: u64 = 0x7079656b5f6d756e;
const KEYPOINT: u64 = 0x746e696f7079656b;

function readField(key: usize, size: i32, p: usize): usize {
  switch (size) {
    case 2:
      if (load<u16>(key) == 0x6469) return readId(p, ID); // id
      break;
    case 4:
      if (load<u32>(key) == BBOX) return readBox(p);
      if (load<u32>(key) == AREA_WORD) return readInto(p, AREA);
      break;
    case 5:
      if (load<u32>(key) == SCOR && load<u8>(key, 4) == 0x65) return readInto(p, SCORE);
      if (load<u32>(key) == WIDT && load<u8>(key, 4) == 0x68) return readInto(p, WIDTH);
      break;
    case 6:
      if (load<u32>(key) == HEIG && load<u16>(key, 4) == 0x7468) return readInto(p, HEIGHT);
      break;
    case 7:
      if (load<u32>(key) == ISCR && load<u32>(key, 3) == 0x64776f72) return readCrowd(p);
      break;
    case 8:
      if (load<u64>(key) == IMAGE_ID) return readId(p, IMAGE);
      break;
    case 9:
      if (load<u64>(key) == KEYPOINT) return fail(p);
      break;
    case 11:
      if (load<u64>(key) == CATEGORY && load<u32>(key, 7) == Y_ID) return readId(p, CLASS);
      break;
    case 12:
      if (load<u64>(key) == SEGMENTA && load<u32>(key, 8) == TION) return readSegmentation(p);
      break;
    case 13:
      if (load<u64>(key) == NUM_KEYP) return readInto(p, LABELLED);
      break;
  }
  return skipValue(p, 0);
}

function putBox(i: usize, value: f64): void {
  store<f64>(columns + ((<usize>BOX * length + (row << 2) + i) << 3), value);
}

function readInto(p: usize, column: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  put(column, value);
  return valueEnd;
}

/** Whole numbers that doubles cannot tell apart are left to JavaScript. */
function readId(p: usize, column: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  if (abs(value) > 9007199254740991) return fail(p);
  put(column, value);
  return valueEnd;
}

function readCrowd(p: usize): usize {
  const value = readNumber(p);
  if (valueEnd == 0) return 0;
  put(CROWD, value == 0 ? 0 : 1);
  return valueEnd;
}

function readBox(p: usize): usize {
  if (load<u8>(p) != 0x5b) return fail(p);
  p++;
  for (let i: usize = 0; i < 4; i++) {
    const value = readNumber(skipSpace(p));
    if (valueEnd == 0) return 0;
    putBox(i, value);
    p = skipSpace(valueEnd);
    if (load<u8>(p) != (i < 3 ? 0x2c : 0x5d)) return fail(p);
    p++;
  }
  put(BOX_NUMBERS, 4);
  return p;
}

function readSegmentation(p: usize): usize {
  const c = load<u8>(p);
  const after = skipValue(p, 0);
  if (after == 0) return 0;
  if (c == 0x5b || c == 0x7b) {
    put(MASK_START, <f64>p + origin);
    put(MASK_END, <f64>after + origin);
  } else {
    if (load<u32>(p) != 0x6c6c756e) return fail(p); // null
    put(MASK_START, -1);
    put(MASK_END, -1);
  }
  return after;
}

/** Whether the first `count` rows have a number in the column. */
export function allHave(out: usize, capacity: i32, column: i32, count: i32): bool {
  const first = out + ((<usize>column * <usize>capacity) << 3);
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f64>(first + (i << 3));
    if (value != value) return false;
  }
  return true;
}
