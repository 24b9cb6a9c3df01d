import { counted, isRcnnError, RcnnError } from '@rcnn/core/errors';
import { SaxesParser } from 'saxes';

/** One `<object>` as the file states it. */
export interface VocObject {
  readonly name: string;
  /** Which of the file's objects it is, from 1. */
  readonly number: number;
  /** `xmin, ymin, xmax, ymax` as written; undefined where they cannot be used and there is an outline instead. */
  readonly bounds: readonly [xmin: number, ymin: number, xmax: number, ymax: number] | undefined;
  readonly difficult: boolean;
  /** Roboflow's `<polygon>`, or several of them: flat `x, y, …` as written. */
  readonly polygons?: readonly (readonly number[])[];
}

export interface VocFile {
  readonly filename: string;
  /** `[height, width]` as written; zeros where a tool wrote none. */
  readonly size: readonly [height: number, width: number];
  readonly objects: readonly VocObject[];
  /** Objects that cannot be read, and why. */
  readonly refused: readonly RefusedObject[];
}

export interface RefusedObject {
  readonly number: number;
  readonly error: RcnnError;
  /** The object without its outline, where that alone cannot be used. */
  readonly rest?: VocObject;
}

interface Node {
  readonly name: string;
  readonly children: Node[];
  text: string;
}

const MAX_DEPTH = 16;
const MAX_CHARACTERS = 16 * 2 ** 20;

/** The name of the outermost element of an XML file, by its beginning; undefined where there is none. */
export function rootName(head: string): string | undefined {
  return /<([\p{L}_][^\s/>]*)/u.exec(head.replace(/<!--[^]*?-->/g, ''))?.[1];
}

/** The outermost element of Pascal VOC's files. */
export const VOC_ROOT = 'annotation';

/**
 * Reads one Pascal VOC annotation. Only elements and text are taken: a DOCTYPE, and with it every entity, is refused.
 * @throws FILE_REFUSED, FILE_MALFORMED with line and column, DATASET_INVALID for missing fields
 */
export function parseVocXml(text: string, where: string): VocFile {
  const root = parseTree(text, where);
  if (root?.name !== VOC_ROOT) {
    throw new RcnnError('DATASET_INVALID', {
      where,
      problem: 'this is not a Pascal VOC annotation',
      found: `<${root?.name ?? ''}>`,
      expected: `<${VOC_ROOT}>`,
    });
  }
  const objects: VocObject[] = [];
  const refused: RefusedObject[] = [];
  for (const [i, node] of root.children.filter(({ name }) => name === 'object').entries()) {
    const number = i + 1;
    if (isDeleted(node)) continue;
    try {
      objects.push(objectOf(node, number, `${where} object ${number}`));
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      refused.push({ number, error, ...restOf(node, number, where) }); // costs itself, not the file
    }
  }
  return { filename: child(root, 'filename')?.text.trim() ?? '', size: sizeOf(root), objects, refused };
}

/** LabelMe keeps objects that were taken back. */
function isDeleted(object: Node): boolean {
  return child(object, 'deleted')?.text.trim() === '1';
}

/** What is left of an object whose outline cannot be used; nothing where its name or box cannot either. */
function restOf(node: Node, number: number, where: string): { readonly rest?: VocObject } {
  const children = node.children.filter(({ name }) => name !== 'polygon');
  if (children.length === node.children.length) return {};
  try {
    return { rest: objectOf({ ...node, children }, number, where) };
  } catch (error) {
    if (isRcnnError(error)) return {};
    throw error;
  }
}

/** LabelImg writes zeros for pictures that it cannot open: whatever is no size, the picture has one. */
function sizeOf(root: Node): VocFile['size'] {
  const size = child(root, 'size');
  if (size === undefined) return [0, 0];
  const [height, width] = [side(size, 'height'), side(size, 'width')];
  return height === 0 || width === 0 ? [0, 0] : [height, width];
}

function side(size: Node, name: string): number {
  const value = Number(child(size, name)?.text.trim() || Number.NaN);
  return Number.isInteger(value) && value > 0 && value < 2 ** 31 ? value : 0;
}

/** `<x1>`, `<y1>`, `<x2>` … in any order, or `<pt><x/><y/></pt>` one after the other; one for each `<polygon>`. */
function polygonOf(polygon: Node, where: string): readonly number[] {
  const points: number[] = [];
  const pairs = polygon.children.filter(({ name }) => name === 'pt');
  // LabelMe's XML says in the outline who drew it.
  for (const { name, text } of pairs.length > 0 ? pairs.flatMap(numberedPoint) : polygon.children) {
    const [, axis, number] = /^([xy])([1-9]\d{0,5})$/.exec(name) ?? [];
    const value = Number(text.trim() || Number.NaN);
    if (axis === undefined || !Number.isFinite(value)) throw fieldError(where, `polygon/${name}`, text);
    points[2 * (Number(number) - 1) + (axis === 'x' ? 0 : 1)] = value;
  }
  const count = points.filter((value) => value !== undefined).length;
  if (count === points.length && count % 2 === 0 && count >= 6) return points;
  throw fieldError(where, 'polygon', counted(count, 'number'), 'the outline is not one of three points and more');
}

/** A `<pt>` of LabelMe's XML as the two elements that others write in its place. */
function numberedPoint(point: Node, index: number): readonly Node[] {
  return ['x', 'y'].flatMap((axis) => {
    const side = child(point, axis);
    return side === undefined ? [] : [{ ...side, name: `${axis}${index + 1}` }];
  });
}

function objectOf(node: Node, number: number, where: string): VocObject {
  const outlines = node.children.filter(({ name, children }) => name === 'polygon' && children.length > 0);
  const polygons = outlines.map((outline) => polygonOf(outline, where));
  const name = needed(node, 'name', where).text.trim();
  if (name === '') throw fieldError(where, 'object/name', name, 'an object has no class');
  return {
    name,
    number,
    ...(polygons.length > 0 && { polygons }),
    bounds: polygons.length > 0 ? boundsOr(node, where) : boundsOf(node, where),
    difficult: child(node, 'difficult')?.text.trim() === '1',
  };
}

function boundsOf(node: Node, where: string): NonNullable<VocObject['bounds']> {
  const box = needed(node, 'bndbox', where);
  const bound = (name: string): number => {
    const value = Number(needed(box, name, where).text.trim() || Number.NaN);
    if (Number.isFinite(value)) return value;
    throw fieldError(where, `bndbox/${name}`, needed(box, name, where).text);
  };
  return [bound('xmin'), bound('ymin'), bound('xmax'), bound('ymax')]; // some tools write fractions
}

function boundsOr(node: Node, where: string): VocObject['bounds'] {
  try {
    return boundsOf(node, where);
  } catch (error) {
    if (isRcnnError(error)) return undefined;
    throw error;
  }
}

/** Begins no entity: to a parser everything behind it is one, as far as the end of the file. */
const BARE_SIGN = /&(?!(?:#\d+|#x[\da-f]+|[a-z]\w*);)/i;

/** Line and column, as the parser counts them. */
function placeIn(text: string, index: number): string {
  const lines = text.slice(0, index).split('\n');
  return `${lines.length}:${lines.at(-1)!.length}`;
}

function parseTree(text: string, where: string): Node | undefined {
  if (text.length > MAX_CHARACTERS)
    throw new RcnnError('FILE_REFUSED', { where, problem: 'the XML is larger than 16 MiB' });
  const parser = new SaxesParser();
  const open: Node[] = [];
  let root: Node | undefined;
  const place = (): string => `${parser.line}:${parser.column}`;
  parser.on('doctype', () => {
    throw new RcnnError('FILE_REFUSED', {
      where,
      place: place(),
      problem: 'the XML has a DOCTYPE, which could define entities',
      hint: 'Remove it: Pascal VOC annotations need none.',
    });
  });
  parser.on('error', (cause) => {
    const sign = text.search(BARE_SIGN);
    const ended = sign < 0 && parser.position >= text.length;
    throw new RcnnError(ended ? 'FILE_TRUNCATED' : 'FILE_MALFORMED', {
      where,
      place: sign < 0 ? place() : placeIn(text, sign),
      problem: 'the file is not XML',
      ...(sign >= 0 && { found: "a '&' that stands for itself", hint: "In XML it is written '&amp;'." }),
      cause,
    });
  });
  parser.on('opentag', ({ name }) => {
    if (open.length >= MAX_DEPTH)
      throw new RcnnError('FILE_MALFORMED', { where, place: place(), problem: 'nested too deeply' });
    const node: Node = { name, children: [], text: '' };
    if (open.length > 0) open.at(-1)!.children.push(node);
    else root = node;
    open.push(node);
  });
  const addText = (part: string): void => {
    const node = open.at(-1);
    if (node) node.text += part;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => void open.pop());
  parser.write(text.replace(/^\uFEFF/, '')).close();
  return root;
}

function child({ children }: Node, name: string): Node | undefined {
  return children.find((node) => node.name === name);
}

function needed(node: Node, name: string, where: string): Node {
  const found = child(node, name);
  if (found !== undefined) return found;
  throw new RcnnError('DATASET_INVALID', { where, place: `${node.name}/${name}`, problem: 'an element is missing' });
}

function fieldError(
  where: string,
  place: string,
  found: string,
  problem: string = 'not a number that can be used',
): RcnnError {
  return new RcnnError('DATASET_INVALID', {
    where,
    place,
    problem,
    found: JSON.stringify(found),
  });
}
