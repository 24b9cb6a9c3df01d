import { RcnnError } from '@rcnn/core/errors';
import { DetectionBuilder, type DetectionReading, GroundTruthBuilder, Row } from './builders.ts';
import type { Detections, GroundTruth } from './columns.ts';
import { asUtf8 } from './encoding.ts';
import { Numbers } from './growable.ts';
import type { Id } from './ids.ts';
import { JsonCursor } from './json-cursor.ts';
import { COLUMN, NativeRows } from './native-rows.ts';
import type { MaskArena, Segmentations } from './segmentations.ts';
import { shown } from './shown.ts';

/**
 * Reads the bytes of a COCO annotation file straight into columns, without the objects of `JSON.parse`. The bytes are
 * kept: masks are read from them when they are needed.
 * @param file UTF-8 or UTF-16, with or without a byte order mark
 * @param where the file's name, for errors
 * @throws FILE_MALFORMED, FILE_TRUNCATED with line:column; DATASET_INVALID, DUPLICATE_ID with a JSON pointer
 */
export function parseGroundTruth(file: Uint8Array, where = 'ground truth'): GroundTruth {
  const bytes = asUtf8(file, where);
  const cursor = new JsonCursor(bytes, where);
  if (cursor.peek() === OPEN_LIST) {
    throw new RcnnError('DATASET_INVALID', {
      where,
      problem: 'a dataset is an object with images, categories and annotations',
      found: 'a list',
      hint: 'Are these the results?',
    });
  }
  const builder = new GroundTruthBuilder(where);
  const spans = new Spans();
  const lists = new Set<string>();
  cursor.object((start, end) => {
    const list = LISTS.find((name) => cursor.spells(start, end, name));
    if (list === undefined) {
      cursor.skip();
      return;
    }
    if (lists.has(list)) {
      throw new RcnnError('DATASET_INVALID', { where, place: `/${list}`, problem: 'this list is there twice' });
    }
    lists.add(list);
    if (list === 'images') readImages(cursor, builder);
    else if (list === 'categories') cursor.list(() => readCategory(cursor, builder));
    else
      readRows(
        cursor,
        (row, start, end) => {
          builder.addAnnotation(row);
          spans.add(start, end);
        },
        (rows, count) => builder.addAnnotations(rows, count) && spans.addAll(rows, count),
      );
  });
  cursor.end();
  if (!lists.has('images')) {
    throw new RcnnError('DATASET_INVALID', { where, place: '/images', problem: 'there is no list of images' });
  }
  return builder.finish(spans.segmentations(bytes, where));
}

/**
 * Reads the bytes of a COCO results file straight into columns.
 * @throws FILE_MALFORMED, FILE_TRUNCATED with line:column; DETECTION_INVALID naming the index of the detection
 */
export function parseDetections(
  file: Uint8Array,
  truth: GroundTruth,
  { where = 'detections', ...reading }: DetectionReading & { where?: string } = {},
): Detections {
  const bytes = asUtf8(file, where);
  const cursor = new JsonCursor(bytes, where);
  if (cursor.peek() === OPEN_OBJECT) throw noList(cursor);
  const builder = new DetectionBuilder(where, truth, reading);
  const spans = new Spans();
  readRows(
    cursor,
    (row, start, end) => {
      if (builder.add(row)) spans.add(start, end);
    },
    (rows, count) => builder.addAll(rows, count) && spans.addAll(rows, count),
  );
  cursor.end();
  return builder.finish(spans.segmentations(bytes, where));
}

const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const NULL = 0x6e;
const LISTS = ['images', 'categories', 'annotations'];

/** The error for results that are an object, naming what it holds. */
function noList(cursor: JsonCursor): RcnnError {
  const keys: string[] = [];
  cursor.object((start, end) => {
    if (keys.length < 5) keys.push(shown(new TextDecoder().decode(cursor.bytes.slice(start - 1, end + 1))));
    cursor.skip();
  });
  return new RcnnError('DETECTION_INVALID', {
    where: cursor.where,
    place: '1:1',
    problem: 'results must be a list of detections',
    found: keys.length === 0 ? 'an empty object' : `an object with ${keys.join(', ')}`,
    hint: hintFor(keys),
  });
}

/** What to do with an object in place of a list, by its first keys. */
function hintFor(keys: readonly string[]): string {
  if (keys.includes('"annotations"')) return 'Of a whole dataset give the list "annotations" alone.';
  if (keys.includes('"image_id"'))
    return 'One detection alone, or one on each line: put them into one list, with [ and ] around and commas between.';
  return 'Write one list, in which each detection has its image_id.';
}

/** Images are rows too, with height and width. */
function readImages(cursor: JsonCursor, builder: GroundTruthBuilder): void {
  const native = NativeRows.of(cursor.bytes);
  cursor.list(() => {
    cursor.peek();
    const count = native?.read(cursor.position) ?? 0;
    if (count === 0) {
      readImage(cursor, builder);
      return;
    }
    const [ids, begins, heights, widths] = ([COLUMN.id, COLUMN.begin, COLUMN.height, COLUMN.width] as const).map(
      (column) => native!.column(column, count),
    ) as [Float64Array, Float64Array, Float64Array, Float64Array];
    for (let i = 0; i < count; i++) {
      builder.addImage(ids[i]!, heights[i]!, widths[i]!, () => writtenAt(cursor, begins[i]!, 'id'));
    }
    cursor.position = native!.end;
  });
}

function readImage(cursor: JsonCursor, builder: GroundTruthBuilder): void {
  let id: Id = Number.NaN;
  let height = Number.NaN;
  let width = Number.NaN;
  cursor.peek();
  const begin = cursor.position;
  cursor.object((start, end) => {
    if (cursor.spells(start, end, 'id')) id = cursor.id();
    else if (cursor.spells(start, end, 'height')) height = cursor.numberOrNaN();
    else if (cursor.spells(start, end, 'width')) width = cursor.numberOrNaN();
    else cursor.skip();
  });
  builder.addImage(id, height, width, () => writtenAt(cursor, begin, 'id'));
}

function readCategory(cursor: JsonCursor, builder: GroundTruthBuilder): void {
  let id: Id = Number.NaN;
  let name: string | undefined;
  cursor.peek();
  const begin = cursor.position;
  cursor.object((start, end) => {
    if (cursor.spells(start, end, 'id')) id = cursor.id();
    else if (cursor.spells(start, end, 'name') && cursor.peek() === 0x22) name = cursor.string();
    else cursor.skip();
  });
  builder.addCategory(id, name ?? String(id), () => writtenAt(cursor, begin, 'id'));
}

/**
 * Reads a list of annotations or detections. `take` gets each as a row, and where its segmentation begins and ends, or
 * -1. Runs of usual rows are read by WebAssembly, the others here.
 * @param takeAll gets the rows that WebAssembly read; false where they must be taken one by one
 */
function readRows(
  cursor: JsonCursor,
  take: (row: Row, start: number, end: number) => void,
  takeAll: (rows: NativeRows, count: number) => boolean,
): void {
  const native = NativeRows.of(cursor.bytes);
  const row = new Row();
  let begin = 0;
  row.written = (path) => writtenAt(cursor, begin, path);
  cursor.list(() => {
    cursor.peek();
    const count = native?.read(cursor.position) ?? 0;
    if (count === 0) {
      begin = cursor.position;
      const [start, end] = readRow(cursor, row);
      take(row, start, end);
      return;
    }
    if (!takeAll(native!, count)) {
      const [begins, starts, ends] = ([COLUMN.begin, COLUMN.maskStart, COLUMN.maskEnd] as const).map((column) =>
        native!.column(column, count),
      ) as [Float64Array, Float64Array, Float64Array];
      for (let i = 0; i < count; i++) {
        begin = begins[i]!;
        native!.fill(i, row);
        take(row, starts[i]!, ends[i]!);
      }
    }
    cursor.position = native!.end;
  });
}

/** What the object that begins at `begin` has at a path such as `score` or `bbox/2`. */
function writtenAt({ bytes, where }: JsonCursor, begin: number, path: string): string {
  const cursor = new JsonCursor(bytes, where);
  cursor.position = begin;
  const [key, index] = path.split('/');
  let found = 'nothing';
  cursor.object((start, end) => {
    if (!cursor.spells(start, end, key!)) cursor.skip();
    else if (index === undefined) found = cursor.written();
    else cursor.list((i) => (i === Number(index) ? (found = cursor.written()) : cursor.skip()));
  });
  return found;
}

/** Reads one annotation or detection into the row. Gives where its segmentation begins and ends, or -1. */
function readRow(cursor: JsonCursor, row: Row): readonly [start: number, end: number] {
  row.clear();
  let span: readonly [number, number] = NO_SPAN;
  const { bytes } = cursor;
  cursor.object((start, end) => {
    const field = FIELDS.get((end - start) * 256 + bytes[start]!); // length and first letter tell the fields apart
    if (field === undefined || !cursor.spells(start, end, field)) cursor.skip();
    else if (field === 'bbox') readBox(cursor, row);
    else if (field === 'keypoints') readKeypoints(cursor, row);
    else if (field === 'segmentation') {
      const next = cursor.peek();
      const mask = next === OPEN_LIST || next === OPEN_OBJECT;
      const start = cursor.position;
      row.segmentable = mask || next === NULL;
      cursor.skip();
      span = mask ? [start, cursor.position] : NO_SPAN;
    } else readNumber(cursor, row, field);
  });
  return span;
}

const NO_SPAN = [-1, -1] as const;

const FIELD_NAMES = [
  'id',
  'image_id',
  'category_id',
  'score',
  'area',
  'iscrowd',
  'num_keypoints',
  'bbox',
  'keypoints',
  'segmentation',
] as const;
type Field = (typeof FIELD_NAMES)[number];
const FIELDS = new Map<number, Field>(FIELD_NAMES.map((name) => [name.length * 256 + name.charCodeAt(0), name]));

function readNumber(cursor: JsonCursor, row: Row, field: Field): void {
  if (field === 'id') row.id = cursor.id();
  else if (field === 'image_id') row.imageId = cursor.id();
  else if (field === 'category_id') row.categoryId = cursor.id();
  else if (field === 'iscrowd') row.crowd = readCrowd(cursor);
  else {
    const value = cursor.numberOrNaN();
    if (field === 'score') row.score = value;
    else if (field === 'area') row.area = value;
    else row.labelled = value;
  }
}

/** As Python does: any number but 0 is true, null is not; NaN for what is neither. */
function readCrowd(cursor: JsonCursor): number {
  const empty = cursor.peek() === NULL;
  const value = cursor.numberOrNaN();
  return empty || value === 0 ? 0 : Number.isNaN(value) ? value : 1;
}

function readBox(cursor: JsonCursor, row: Row): void {
  const next = cursor.peek();
  if (next !== OPEN_LIST) {
    row.boxNumbers = next === NULL ? 0 : -1;
    cursor.skip();
    return;
  }
  row.boxNumbers = cursor.list((i) => {
    const value = cursor.numberOrNaN();
    if (i < 4) row.box[i] = value;
  });
}

function readKeypoints(cursor: JsonCursor, row: Row): void {
  row.keypoints.length = 0;
  if (cursor.peek() !== 0x5b) cursor.skip();
  else cursor.list(() => row.keypoints.push(cursor.numberOrNaN()));
}

/** Where the masks of rows stand. */
class Spans {
  readonly #starts = new Numbers();
  readonly #ends = new Numbers();
  #any = false;

  add(start: number, end: number): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#any ||= start >= 0;
  }

  /** Adds those of the first rows that were read last. */
  addAll(rows: NativeRows, count: number): true {
    const starts = rows.column(COLUMN.maskStart, count);
    this.#starts.append(starts);
    this.#ends.append(rows.column(COLUMN.maskEnd, count));
    this.#any ||= starts.some((start) => start >= 0);
    return true;
  }

  segmentations(bytes: Uint8Array, where: string): Segmentations | undefined {
    if (!this.#any) return undefined;
    return new ByteSegmentations({
      bytes,
      starts: this.#starts.view().slice(),
      ends: this.#ends.view().slice(),
      where,
    });
  }
}

/** The bytes of a file and where in them each row's mask begins and ends, or -1. */
export interface MaskBytes {
  readonly bytes: Uint8Array;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** The file's name, for errors. */
  readonly where: string;
}

/** Masks that stay in the bytes of the file until they are needed. */
export class ByteSegmentations implements Segmentations {
  readonly source: MaskBytes;
  readonly #cursor: JsonCursor;
  #plain: Uint8Array = new Uint8Array(1024);
  readonly #numbers = new Numbers();

  constructor(source: MaskBytes) {
    this.source = source;
    this.#cursor = new JsonCursor(source.bytes, source.where);
  }

  has(i: number): boolean {
    return this.source.starts[i]! >= 0;
  }

  hasSize(i: number): boolean {
    return this.source.bytes[this.source.starts[i]!] !== OPEN_LIST;
  }

  load(i: number, arena: MaskArena, imageHeight: number, imageWidth: number): void {
    const cursor = this.#cursor;
    cursor.position = this.source.starts[i]!;
    if (cursor.peek() === 0x5b) {
      arena.addPolygons(this.#readPolygons(), imageHeight, imageWidth);
      return;
    }
    let size: number[] = [];
    let counts = -1;
    cursor.object((start, end) => {
      if (cursor.spells(start, end, 'size')) {
        size = readNumbers(cursor);
        return;
      }
      if (cursor.spells(start, end, 'counts')) {
        cursor.peek();
        counts = cursor.position;
      }
      cursor.skip();
    });
    if (size.length !== 2 || counts < 0) {
      throw new RcnnError('RLE_INVALID', { where: 'segmentation', problem: 'a mask needs size and counts' });
    }
    this.#loadCounts(counts, arena, size[0]!, size[1]!);
  }

  /** The polygons at the cursor, in memory that the next mask takes over: there are very many of them. */
  #readPolygons(): Float64Array[] {
    const cursor = this.#cursor;
    const numbers = this.#numbers;
    numbers.clear();
    const ends: number[] = [];
    cursor.list(() => {
      if (cursor.peek() === 0x5b) cursor.list(() => numbers.push(cursor.numberOrNaN()));
      else cursor.skip();
      ends.push(numbers.length);
    });
    const all = numbers.view();
    return ends.map((end, i) => all.subarray(ends[i - 1] ?? 0, end));
  }

  #loadCounts(at: number, arena: MaskArena, height: number, width: number): void {
    const cursor = this.#cursor;
    cursor.position = at;
    if (cursor.peek() !== 0x22) {
      arena.addCounts(readNumbers(cursor), height, width);
      return;
    }
    cursor.skipString();
    const end = cursor.position - 1;
    const { bytes } = cursor;
    let p = at + 1;
    while (p < end && bytes[p] !== 0x5c) p++;
    if (p === end) {
      arena.addCompressed(bytes, at + 1, end, height, width);
      return;
    }
    const length = this.#unescape(at + 1, end);
    arena.addCompressed(this.#plain, 0, length, height, width);
  }

  /** RLE strings hold backslashes, which JSON writes twice. Any other escape is no RLE and left as it is. */
  #unescape(start: number, end: number): number {
    const { bytes } = this.#cursor;
    if (this.#plain.length < end - start) this.#plain = new Uint8Array(2 * (end - start));
    const plain = this.#plain;
    let length = 0;
    for (let p = start; p < end; p++) {
      let byte = bytes[p]!;
      if (byte === 0x5c) {
        byte = bytes[++p]!;
        if (byte === 0x75) {
          byte = Number.parseInt(String.fromCharCode(...bytes.subarray(p + 1, p + 5)), 16) & 0xff;
          p += 4;
        } else if (byte !== 0x5c) {
          byte = 0; // a control character, quote or slash: outside the code of RLE
        }
      }
      plain[length++] = byte;
    }
    return length;
  }
}

function readNumbers(cursor: JsonCursor): number[] {
  const numbers: number[] = [];
  if (cursor.peek() !== 0x5b) cursor.skip();
  else cursor.list(() => numbers.push(cursor.numberOrNaN()));
  return numbers;
}
