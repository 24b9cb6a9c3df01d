import { closeSync, openSync, readSync } from 'node:fs';
import type { ImageId } from '@rcnn/coco-data';
import { quoteName, RcnnError } from '@rcnn/core/errors';

/** Bytes of results, and of annotations, in which names are looked for: evaluation itself takes less time than all of them. */
const RESULTS_BYTES = 2 ** 20;
const TRUTH_BYTES = 2 ** 25;

/** What results or annotations say of an image. */
interface Named {
  readonly id: ImageId;
  readonly file: string;
}

/**
 * `predict` numbers pictures by their names, and annotations may count otherwise: then `0001.png` would be compared with
 * the objects of `0002.png`, without a word. Results that name their files can tell.
 * @throws DETECTION_INVALID where a result names another picture than the annotations have under its id
 */
export function requireSamePictures(truthFile: string, resultsFile: string): void {
  const results = namedResults(resultsFile);
  if (results.length > 0) compareNames(results, namedImages(truthFile), resultsFile);
}

/**
 * The same for pictures that are known already. A name that no picture of the annotations has says nothing: tools write
 * names that their files never had.
 */
export function compareNames(results: readonly Named[], images: readonly Named[], where: string): void {
  const fileOf = new Map(images.map(({ id, file }) => [id, file]));
  const stems = new Set(images.map(({ file }) => stemOf(file)));
  for (const [i, { id, file }] of results.entries()) {
    const own = fileOf.get(id);
    if (own === undefined || stemOf(own) === stemOf(file) || !stems.has(stemOf(file))) continue;
    throw new RcnnError('DETECTION_INVALID', {
      where,
      place: `result ${i}`,
      problem: 'it is of another picture than the annotations have under its image_id',
      found: `${quoteName(file)}, image_id ${id}`,
      expected: quoteName(own),
      hint: 'Predict with the ids of the annotations: mask-rcnn predict --data DATA.',
    });
  }
}

/** The images of the first results that name their file; a list of ours has a line for each. */
export function namedResults(file: string): readonly Named[] {
  return beginningOf(file, RESULTS_BYTES)
    .split('\n')
    .flatMap((line) => recordsIn(line.replace(/^\s*\[|[\],\s]+$/g, '')))
    .flatMap(({ image_id: id, file_name: name }) => namedOf(id, name));
}

function namedImages(file: string): readonly Named[] {
  const records = beginningOf(file, TRUTH_BYTES).matchAll(/\{[^{}]*"file_name"[^{}]*\}/g);
  return [...records].flatMap(([text]) => recordsIn(text)).flatMap(({ id, file_name: name }) => namedOf(id, name));
}

function namedOf(id: unknown, file: unknown): readonly Named[] {
  return (typeof id === 'number' || typeof id === 'string') && typeof file === 'string' ? [{ id, file }] : [];
}

/** The record of a text; none where it is cut or something else. */
function recordsIn(text: string): readonly Readonly<Record<string, unknown>>[] {
  if (!text.includes('"file_name"')) return [];
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : [];
  } catch {
    return []; // whoever reads the file says what is wrong with it
  }
}

/** A name without folders and ending: pictures are moved and converted. */
function stemOf(file: string): string {
  const name = file.replaceAll('\\', '/').split('/').at(-1)!;
  return name.replace(/\.[^.]+$/, '').toLowerCase();
}

function beginningOf(file: string, most: number): string {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    const bytes = Buffer.alloc(most);
    return bytes.toString('utf8', 0, readSync(handle, bytes, 0, most, 0));
  } catch {
    return ''; // as above
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
