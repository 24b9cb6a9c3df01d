import { quoteName, RcnnError } from '@rcnn/core/errors';

/** A record as its file has it; what the studio does not know stays as it is. */
export type RawRecord = Readonly<Record<string, unknown>>;

export interface RawImage extends RawRecord {
  readonly id: number;
  readonly file_name: string;
  readonly width: number;
  readonly height: number;
}

export interface RawAnnotation extends RawRecord {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
}

export interface RawCategory extends RawRecord {
  readonly id: number;
  readonly name: string;
}

/** A COCO file as plain data: three lists that refer to each other, and whatever else stood beside them. */
export interface CocoDocument {
  readonly rest: RawRecord;
  readonly images: readonly RawImage[];
  readonly annotations: readonly RawAnnotation[];
  readonly categories: readonly RawCategory[];
}

export const EMPTY_DOCUMENT: CocoDocument = {
  rest: { info: { description: 'outlined in mask-rcnn studio' } },
  images: [],
  annotations: [],
  categories: [],
};

/**
 * Reads a COCO file that is to be written again. It must be sound as far as records refer to each other: an edit of one
 * that is not would make things worse.
 * @throws FILE_MALFORMED, DATASET_INVALID
 */
export function parseDocument(text: string, source: string): CocoDocument {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', {
      where: source,
      problem: 'this is not JSON',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: DOCTOR,
      cause,
    });
  }
  const refuse = (place: string, found: unknown, expected: string): never =>
    refuseRecord(source, place, found, expected);
  if (!isRecord(value)) return refuse('', value, 'an object with images, annotations and categories');
  const { images, annotations, categories, ...rest } = value;
  const list = (name: string, records: unknown): readonly RawRecord[] => {
    if (!Array.isArray(records)) return refuse(name, records, 'a list');
    const bad = records.findIndex((record) => !isRecord(record));
    return bad < 0 ? (records as RawRecord[]) : refuse(`${name}/${bad}`, records[bad], 'an object');
  };
  const document = {
    rest,
    images: list('images', images) as readonly RawImage[],
    annotations: list('annotations', annotations) as readonly RawAnnotation[],
    categories: list('categories', categories) as readonly RawCategory[],
  };
  checkDocument(document, refuse);
  return document;
}

const DOCTOR = "Run 'mask-rcnn doctor' on it; '--fix OUT' writes a copy that can be opened.";

function checkDocument(
  { images, annotations, categories }: CocoDocument,
  refuse: (place: string, found: unknown, expected: string) => never,
): void {
  const imageIds = uniqueIds('images', images, refuse);
  const categoryIds = uniqueIds('categories', categories, refuse);
  uniqueIds('annotations', annotations, refuse);
  for (const [i, { file_name, width, height }] of images.entries()) {
    if (typeof file_name !== 'string' || file_name === '') refuse(`images/${i}/file_name`, file_name, 'a name');
    for (const [side, length] of Object.entries({ width, height }))
      if (!Number.isInteger(length) || length < 1) refuse(`images/${i}/${side}`, length, 'a number of pixels');
  }
  for (const [i, { name }] of categories.entries())
    if (typeof name !== 'string') refuse(`categories/${i}/name`, name, 'a name');
  for (const [i, { image_id, category_id }] of annotations.entries()) {
    if (!imageIds.has(image_id)) refuse(`annotations/${i}/image_id`, image_id, 'the id of an image');
    if (!categoryIds.has(category_id)) refuse(`annotations/${i}/category_id`, category_id, 'the id of a category');
  }
}

function uniqueIds(
  list: string,
  records: readonly { readonly id: number }[],
  refuse: (place: string, found: unknown, expected: string) => never,
): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const [i, { id }] of records.entries()) {
    if (!Number.isSafeInteger(id)) refuse(`${list}/${i}/id`, id, 'a whole number');
    if (ids.has(id)) refuse(`${list}/${i}/id`, id, 'a number that no other has');
    ids.add(id);
  }
  return ids;
}

function refuseRecord(source: string, place: string, found: unknown, expected: string): never {
  const text = found === undefined ? 'nothing' : JSON.stringify(found);
  throw new RcnnError('DATASET_INVALID', {
    where: source,
    place: `/${place}`,
    problem: 'the studio does not change a file with such a record',
    found: quoteName(text),
    expected,
    hint: DOCTOR,
  });
}

function isRecord(value: unknown): value is RawRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The file's text: one record on each line, so that a change of one object is a change of one line. */
export function* documentText({ rest, images, annotations, categories }: CocoDocument): Generator<string> {
  let separator = '{';
  for (const [key, value] of Object.entries(rest)) {
    yield `${separator}${JSON.stringify(key)}:${JSON.stringify(value)}`;
    separator = ',\n';
  }
  for (const [key, records] of Object.entries({ images, annotations, categories })) {
    yield `${separator}"${key}":[`;
    for (const [i, record] of records.entries()) yield `${i > 0 ? ',' : ''}\n${JSON.stringify(record)}`;
    yield ']';
    separator = ',\n';
  }
  yield '}\n';
}

/** A number that none of the records has: one above the highest, and at least 1, for COCO's evaluation never matches 0. */
export function nextId(records: readonly { readonly id: number }[]): number {
  return records.reduce((most, { id }) => Math.max(most, id), 0) + 1;
}
