/** One record of a COCO file as parsed, whatever is in it. */
export type LooseRecord = Record<string, unknown>;

export type ListKey = 'images' | 'annotations' | 'categories';

/** What was done to one field, in words. */
export interface Mending {
  readonly action:
    | 'mended field'
    | 'matched id'
    | 'left out field'
    | 'wrapped polygon'
    | 'left out polygon part'
    | 'left out mask';
  readonly what: string;
}

/** A record that a reader refused, with what can be told from it put right. */
export interface MendedElement {
  readonly value: LooseRecord;
  readonly mendings: readonly Mending[];
  /** The record states no size that can be used; {@link NO_SIZE} stands there. */
  readonly sizeless: boolean;
}

/** Sides of an image whose record states none, until its file tells. */
export const NO_SIZE = 1;

/**
 * Puts right what can be told from a record of a COCO file that a reader refused: numbers that are text, a flat list that
 * should be a list of polygons, single parts of a mask that cannot be used, fields that can be made anew from others.
 * Everything else is left as it is, so that the reader refuses the record again and says why.
 * @returns undefined where the value is no record at all
 */
export function mendElement(key: ListKey, value: unknown): MendedElement | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const record: LooseRecord = Object.assign(Object.create(null) as LooseRecord, value);
  const mendings: Mending[] = [];
  const did: Did = (action, what) => void mendings.push({ action, what });
  let sizeless = false;
  if (key === 'images') sizeless = mendImage(record, did);
  else if (key === 'annotations') mendAnnotation(record, did);
  else mendCategory(record, did);
  return { value: record, mendings, sizeless };
}

type Did = (action: Mending['action'], what: string) => void;

/** A category without a name is called like its number, as classes of some tools are. */
function mendCategory(record: LooseRecord, did: Did): void {
  mendNumbers(record, ['id'], did);
  const isUnnamed = record['name'] === undefined || record['name'] === null || record['name'] === '';
  if (isUnnamed && Number.isSafeInteger(record['id'])) replace(record, 'name', String(record['id']), did);
}

/** Other words for `file_name`, as hand-made files have them. */
const FILE_NAMES: readonly string[] = ['filename', 'fileName', 'file', 'path'];

function mendImage(record: LooseRecord, did: Did): boolean {
  const other = FILE_NAMES.find((name) => typeof record[name] === 'string' && record[name] !== '');
  if (record['file_name'] === undefined && other !== undefined) replace(record, 'file_name', record[other], did);
  mendNumbers(record, ['height', 'width'], did);
  const isSide = (side: unknown): boolean =>
    Number.isInteger(side) && (side as number) > 0 && (side as number) < 2 ** 31;
  if (isSide(record['height']) && isSide(record['width'])) return false;
  record['height'] = NO_SIZE;
  record['width'] = NO_SIZE;
  return true;
}

function mendAnnotation(record: LooseRecord, did: Did): void {
  mendNumbers(record, ['id', 'category_id', 'area'], did);
  // 0 makes the repair give an id of its own.
  if (!Number.isSafeInteger(record['id'])) replace(record, 'id', 0, did);
  if ('area' in record && !(typeof record['area'] === 'number' && Number.isFinite(record['area'])))
    leaveOut(record, 'area', did);
  mendCrowd(record, did);
  mendBox(record, did);
  mendSegmentation(record, did);
  if ('keypoints' in record && !isKeypoints(record['keypoints'])) leaveOut(record, 'keypoints', did);
}

/** As COCO's own evaluation reads it: what is neither nothing, 0 nor empty marks a crowd. */
function mendCrowd(record: LooseRecord, did: Did): void {
  const value = record['iscrowd'];
  if (value === undefined || value === 0 || value === 1 || typeof value === 'boolean') return;
  const isNumber = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '');
  const marked = isNumber && Number.isFinite(Number(value)) ? Number(value) !== 0 : false;
  replace(record, 'iscrowd', marked ? 1 : 0, did);
}

/** A box in a list of its own, or with its sides by name. */
function boxList(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 && Array.isArray(value[0]) ? value[0] : value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as LooseRecord;
  const sides = [
    ['x', 'y', 'width', 'height'],
    ['left', 'top', 'width', 'height'],
    ['x', 'y', 'w', 'h'],
  ].find((names) => names.every((name) => Object.hasOwn(fields, name)));
  return sides === undefined ? value : sides.map((name) => fields[name]);
}

/** A box that cannot be read gets no sides here: the repair makes it from the mask, or leaves the object out. */
function mendBox(record: LooseRecord, did: Did): void {
  const written = record['bbox'];
  const box = boxList(written);
  if (box !== written && Array.isArray(box)) replace(record, 'bbox', box, did);
  if (Array.isArray(box) && box.length === 4) {
    const numbers = box.map((side) => asNumber(side) ?? side);
    if (numbers.some((side, i) => side !== box[i])) replace(record, 'bbox', numbers, did);
    if (numbers.every((side) => typeof side === 'number' && Number.isFinite(side))) return;
  }
  record['bbox'] = [0, 0, 0, 0];
  did('left out field', `bbox: ${show(box)}`);
}

function mendSegmentation(record: LooseRecord, did: Did): void {
  const written = record['segmentation'];
  if (written === undefined || written === null) return;
  const value = plainSegmentation(written);
  if (value !== written) {
    record['segmentation'] = value;
    if (isRunLengths(value) || typeof written === 'string')
      did('mended field', `segmentation: ${show(written)} is now ${show(value)}`);
  }
  if (Array.isArray(value)) return mendPolygons(record, value, did);
  if (isRunLengths(value)) return;
  delete record['segmentation'];
  did('left out mask', show(value));
}

/** JSON inside a text, run lengths inside a list, the letters of run lengths by their numbers: the same unwrapped. */
function plainSegmentation(value: unknown): unknown {
  if (typeof value === 'string') return fromText(value);
  if (Array.isArray(value)) return value.length === 1 && isRecord(value[0]) ? plainSegmentation(value[0]) : value;
  if (!isRecord(value)) return value;
  const size = numbersOf(value['size']);
  const counts = withRest(numbersOf(value['counts']), size);
  if (!isRunLengths({ size, counts }) && isBytes(counts)) return { size, counts: String.fromCharCode(...counts) };
  return size === value['size'] && counts === value['counts'] ? value : { size, counts };
}

/** Run lengths that end with the last object pixel: what follows is background, as COCO's own decoder fills it. */
function withRest(counts: unknown, size: unknown): unknown {
  const isWhole = (item: unknown): item is number => Number.isInteger(item) && (item as number) >= 0;
  if (!Array.isArray(counts) || !Array.isArray(size) || !counts.every(isWhole) || !size.every(isWhole)) return counts;
  const rest = (size[0] ?? 0) * (size[1] ?? 0) - counts.reduce((sum, count) => sum + count, 0);
  return rest > 0 && counts.length > 0 && counts.length % 2 === 0 ? [...counts, rest] : counts;
}

/** The same list with numbers where a tool wrote text. */
function numbersOf(list: unknown): unknown {
  const isText = Array.isArray(list) && list.some((item) => typeof item === 'string');
  return isText && list.every((item) => asNumber(item) !== undefined) ? list.map(asNumber) : list;
}

/** Letters of the code in which run lengths are written: `0` to `o`. */
function isBytes(counts: unknown): counts is number[] {
  if (!Array.isArray(counts) || counts.length === 0 || counts.length > 100_000) return false;
  return counts.every((byte) => Number.isInteger(byte) && byte >= 0x30 && byte <= 0x6f);
}

function fromText(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : text;
  } catch {
    return outlineText(text) === undefined ? text : [text];
  }
}

/** An outline as text: `"6,8,26,8,26,32"`, with commas or spaces. */
function outlineText(value: unknown): readonly number[] | undefined {
  if (typeof value !== 'string') return undefined;
  const numbers = value
    .trim()
    .split(/[\s,;]+/)
    .map(asNumber);
  return numbers.length >= 6 && !numbers.includes(undefined) ? (numbers as number[]) : undefined;
}

function isRecord(value: unknown): value is LooseRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mendPolygons(record: LooseRecord, value: readonly unknown[], did: Did): void {
  if (value.length === 0) return;
  const parts = inNumbers(wrapped(value));
  if (parts.some((part, i) => part !== value[i]) && parts.some(isPolygon))
    did('wrapped polygon', `${show(value)} is now ${parts.length} flat list(s)`);
  const good = parts.filter(isPolygon);
  if (good.length === 0) {
    delete record['segmentation'];
    did('left out mask', show(value));
    return;
  }
  for (const [i, part] of parts.entries())
    if (!isPolygon(part)) did('left out polygon part', `part ${i}: ${show(part)}`);
  record['segmentation'] = good;
}

/**
 * The polygons of a list, each as a flat list of numbers. Tools write one as a flat list, as pairs, as points by name, each
 * point in a list of its own (OpenCV), as text, and all of it deeper than it should be.
 */
function wrapped(value: readonly unknown[]): readonly unknown[] {
  const isText = (item: unknown): boolean => outlineText(item) !== undefined;
  if (value.some(isText)) return value.map((item) => outlineText(item) ?? item);
  if (value.every((item) => typeof item !== 'object' || item === null)) return [value];
  if (value.length >= 3 && value.every(isPair)) return [flatPairs(value)];
  const isNested = (item: unknown): item is unknown[] =>
    Array.isArray(item) && item.length > 0 && item.every((one) => typeof one === 'object' && one !== null);
  return value.flatMap((item) => (isNested(item) ? wrapped(item) : [item]));
}

function isPair(item: unknown): boolean {
  if (isRecord(item)) return asNumber(item['x']) !== undefined && asNumber(item['y']) !== undefined;
  if (!Array.isArray(item)) return false;
  if (item.length === 1) return isPair(item[0]);
  return item.length === 2 && item.every((side) => asNumber(side) !== undefined);
}

function flatPairs(pairs: readonly unknown[]): readonly unknown[] {
  const sides = (item: unknown): unknown => {
    if (isRecord(item)) return [item['x'], item['y']];
    return Array.isArray(item) && item.length === 1 ? sides(item[0]) : item;
  };
  return pairs.flatMap(sides);
}

/** Coordinates that a tool wrote as text. */
function inNumbers(parts: readonly unknown[]): readonly unknown[] {
  const isText = (part: unknown): part is unknown[] =>
    Array.isArray(part) &&
    part.some((side) => typeof side === 'string') &&
    part.every((side) => asNumber(side) !== undefined);
  return parts.map((part) => (isText(part) ? part.map(asNumber) : part));
}

function isPolygon(part: unknown): boolean {
  if (!Array.isArray(part) || part.length < 6 || part.length % 2 === 1) return false;
  return part.every((item) => typeof item === 'number' && Number.isFinite(item));
}

function isRunLengths(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { size, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(size) || size.length !== 2) return false;
  if (!size.every((side) => Number.isInteger(side) && side > 0)) return false;
  if (typeof counts === 'string') return true;
  if (!Array.isArray(counts) || !counts.every((count) => Number.isInteger(count) && count >= 0)) return false;
  return counts.reduce((sum: number, count: number) => sum + count, 0) === size[0] * size[1];
}

function isKeypoints(value: unknown): boolean {
  if (!Array.isArray(value) || value.length % 3 !== 0) return false;
  return value.every((item, i) => Number.isFinite(item) && (i % 3 < 2 || item === 0 || item === 1 || item === 2));
}

/** Numbers that a tool wrote as text. */
function mendNumbers(record: LooseRecord, fields: readonly string[], did: Did): void {
  for (const field of fields) {
    const number = asNumber(record[field]);
    if (number !== undefined && number !== record[field]) replace(record, field, number, did);
  }
}

function asNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^\s*-?\d+(?:\.\d+)?(?:e[+-]?\d+)?\s*$/i.test(value)) return undefined;
  return Number(value);
}

function replace(record: LooseRecord, field: string, value: unknown, did: Did): void {
  did('mended field', `${field}: ${show(record[field])} is now ${show(value)}`);
  record[field] = value;
}

function leaveOut(record: LooseRecord, field: string, did: Did): void {
  did('left out field', `${field}: ${show(record[field])}`);
  delete record[field];
}

/** A value in few characters. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
