import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { ImageSize, PixelImage } from '@rcnn/core';
import { counted, type ErrorCode, isRcnnError, printable, type RcnnError } from '@rcnn/core/errors';
import { plainName } from '../class-map.ts';
import { decodeImage, type ImageHeader, readImageHeader } from '../node/images/decode.ts';
import { FolderImages } from '../node/images/folder-images.ts';
import { type DatasetSource, type OpenOptions, readSource, selectSources } from '../node/read/open.ts';
import { type ObjectSizes, objectSizes } from '../object-sizes.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord, Segmentation } from '../records.ts';
import { type CheckedSet, checkMasks, checkRecords, withoutEmpty } from './check.ts';
import { lookAtEach } from './in-order.ts';
import type { Digests } from './manifest.ts';
import { type ProblemCount, type ProblemKind, Problems, type Severity } from './problems.ts';
import type { FileFacts } from './repair-images.ts';
import { Twins } from './twins.ts';

export interface InspectOptions extends OpenOptions {
  /** Told after every image. */
  readonly onProgress?: (done: number, total: number, split: string) => void;
  /** What the images were when the dataset was sound, of {@link readManifest}: tells damage that decodes all the same. */
  readonly expected?: Digests;
  /** Whether {@link Inspection.digests} are wanted: to digest every file takes time. Default true. */
  readonly digests?: boolean;
}

/** How many objects of a class there are, per split. */
export interface ClassCount {
  readonly name: string;
  readonly categoryId: number;
  readonly objects: Readonly<Record<string, number>>;
}

export interface SplitFacts {
  readonly split: string;
  readonly format: string;
  readonly annotations: string;
  readonly images: number;
  readonly objects: number;
  readonly crowds: number;
  readonly emptyImages: number;
  /** By COCO's areas: small up to 32², medium up to 96², large. */
  readonly sizes: { readonly small: number; readonly medium: number; readonly large: number };
  /** How large the objects are beside their images; undefined where there are none. */
  readonly objectSizes: ObjectSizes | undefined;
  /** Smallest and largest image, by pixels: `[height, width]`. */
  readonly smallest: ImageSize | undefined;
  readonly largest: ImageSize | undefined;
}

/** What the doctor found in a dataset. Plain data. */
export interface DatasetReport {
  readonly path: string;
  readonly counts: Readonly<Record<Severity, number>>;
  readonly problems: readonly ProblemCount[];
  readonly splits: readonly SplitFacts[];
  readonly classes: readonly ClassCount[];
}

/** One split as the doctor saw it: what a repaired copy is made from. */
export interface InspectedSplit {
  readonly source: DatasetSource;
  /** Every record that could be read, sound or not. */
  readonly raw: AnnotationSet;
  readonly set: CheckedSet;
  /** Images that decode, with what their files say. */
  readonly sound: ReadonlyMap<ImageRecord, FileFacts>;
  /** Why the others do not. */
  readonly unsound: ReadonlyMap<ImageRecord, string>;
  /** What the reader itself found; records with errors are not in `raw`. */
  readonly reading: Problems;
}

/** One split whose annotations could not be read at all. */
export interface FailedSplit {
  readonly source: DatasetSource;
  readonly why: string;
}

export interface Inspection {
  readonly report: DatasetReport;
  readonly splits: readonly InspectedSplit[];
  readonly failed: readonly FailedSplit[];
  /** How the dataset was opened; a repair opens it the same way. */
  readonly options: OpenOptions;
  /** All of them, where the report has the first 20 of each kind. */
  readonly problems: Problems;
  /** Of the images that are sound; for {@link writeManifest}. */
  readonly digests: Digests;
}

/**
 * Looks at everything in a dataset once: annotation files, every record, every image, every mask. Finds all problems,
 * changes nothing.
 * @throws FILE_MISSING, DATASET_INVALID when there is no dataset at all
 */
export async function inspectDataset(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const problems = new Problems(Number.POSITIVE_INFINITY);
  const sources = await selectSources(path, options);
  const root = (await stat(path)).isDirectory() ? path : dirname(path);
  const visit: Visit = { options, problems, root, twins: new Twins(), digests: new Map() };
  const splits: InspectedSplit[] = [];
  const failed: FailedSplit[] = [];
  for (const source of sources) {
    const split = await inspectSplit(source, visit);
    if ('why' in split) failed.push(split);
    else splits.push(split);
  }
  compareCategories(splits, problems);
  const classes = classCounts(splits, problems);
  const counts = { error: problems.count('error'), warning: problems.count('warning'), note: problems.count('note') };
  const report = { path, counts, problems: problems.list(), splits: splits.map(factsOf), classes };
  return { report, splits, failed, options, problems, digests: visit.digests };
}

/** What one look at a dataset carries from image to image. */
interface Visit {
  readonly options: InspectOptions;
  readonly problems: Problems;
  /** The folder that paths in a manifest are below. */
  readonly root: string;
  readonly twins: Twins<{ readonly split: string; readonly file: string }>;
  readonly digests: Map<string, string>;
}

async function inspectSplit(source: DatasetSource, visit: Visit): Promise<InspectedSplit | FailedSplit> {
  const { options, problems } = visit;
  const reading = new Problems(Number.POSITIVE_INFINITY);
  let raw: AnnotationSet;
  try {
    raw = await readSource(source, reading, options);
    problems.addAll(reading);
  } catch (error) {
    if (!isRcnnError(error)) throw error; // the file as a whole: one problem, the other splits are still looked at
    problems.addAll(reading);
    problems.add({
      kind: fileProblem(error),
      source: source.annotations,
      place: error.place ?? '',
      found: error.message,
    });
    return { source, why: error.message };
  }
  const checked = checkRecords(raw, problems);
  const set = options.keepEmpty === false ? withoutEmpty(checked) : checked;
  noteCrowdsOnly(set, problems);
  const store = new FolderImages(source.images, options);
  const sound = new Map<ImageRecord, FileFacts>();
  const unsound = new Map<ImageRecord, string>();
  const annotated = new Set(raw.annotations.map(({ imageId }) => imageId));
  let done = 0;
  await lookAtEach(set.images, problems, async (image, own) => {
    const annotations = set.byImage.get(image.id) ?? [];
    const facts = await inspectImage(image, source, store, { ...visit, problems: own });
    if (typeof facts === 'string') unsound.set(image, facts);
    else sound.set(image, facts);
    checkMasks(set.source, image, annotations, own);
    noteFacts(image, annotations, set.source, own);
    noteTwins(image, annotations, set.source, own);
    if (!annotated.has(image.id)) {
      own.add({ kind: 'image-empty', source: set.source, place: image.place, found: image.file });
    }
    options.onProgress?.(++done, set.images.length, source.split);
  });
  return { source, raw, set, sound, unsound, reading };
}

/** What the file says of itself if it is sound, even where the record states another size; else why it is not. */
async function inspectImage(
  image: ImageRecord,
  { images, split }: DatasetSource,
  store: FolderImages,
  { options: { expected, digests: wanted = true }, problems, root, twins, digests }: Visit,
): Promise<FileFacts | string> {
  // Errors of the file itself begin with its name.
  const named = (found: string): string =>
    found.startsWith(`${printable(image.file)}: `) ? found : `${image.file}: ${found}`;
  const report = (kind: ProblemKind, found: string): void =>
    problems.add({ kind, source: images, place: image.place, found: named(found) });
  try {
    const bytes = await store.read(image.file);
    const path = relative(root, join(images, image.file)).replaceAll(sep, '/');
    const file = wanted || expected ? createHash('sha256').update(bytes).digest('hex') : undefined;
    const changed = file !== undefined && expected !== undefined && !isAsExpected(path, file, expected, report);
    const facts = factsOfFile(await readImageHeader(bytes, image.file));
    const pixels = await decodeImage(bytes, { ...store.options, name: image.file });
    if (pixels.pages !== undefined) report('image-pages', `${pixels.pages} pages or frames`);
    compareSizes(image.size, [pixels.height, pixels.width], facts, store.options.orientation === 'apply', report);
    const twin = await twins.find(pixels, { split, file: image.file }, () => pixelsOf(image, store));
    if (twin !== undefined && twin.split === split) report('duplicate-image', `the same pixels as ${twin.file}`);
    else if (twin !== undefined) report('duplicate-across-splits', `the same pixels as ${twin.file} of ${twin.split}`);
    if (changed) return 'its file is not the one of the manifest';
    if (file !== undefined) digests.set(path, file);
    return facts;
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    report(imageProblem(error.code), error.message);
    return error.message;
  }
}

async function pixelsOf(image: ImageRecord, store: FolderImages): Promise<PixelImage | undefined> {
  try {
    return await decodeImage(await store.read(image.file), { ...store.options, name: image.file });
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return undefined; // gone meanwhile
  }
}

/** The same for a record that was mended later: nothing is reported. */
export async function examineImage(image: ImageRecord, store: FolderImages): Promise<FileFacts | undefined> {
  try {
    const bytes = await store.read(image.file);
    const facts = factsOfFile(await readImageHeader(bytes, image.file));
    await decodeImage(bytes, { ...store.options, name: image.file });
    return facts;
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return undefined;
  }
}

function factsOfFile({ size, orientation }: ImageHeader): FileFacts {
  return { stored: size, shown: orientation >= 5 ? [size[1], size[0]] : size, orientation };
}

/** Tells a record of another picture from one that counts the pixels as people see them. */
function compareSizes(
  record: ImageSize,
  decoded: ImageSize,
  { shown, orientation }: FileFacts,
  isTurned: boolean,
  report: (kind: ProblemKind, found: string) => void,
): void {
  const differs = record[0] !== decoded[0] || record[1] !== decoded[1];
  const asShown = orientation >= 5 && record[0] === shown[0] && record[1] === shown[1];
  if (differs && asShown) {
    report(
      'image-turned',
      `EXIF orientation ${orientation}, and the record has the size that people see: ${record[1]}x${record[0]}`,
    );
  } else if (differs) {
    report('image-size', `the file has ${decoded[1]}x${decoded[0]}, its record ${record[1]}x${record[0]}`);
  }
  if (orientation > 1 && !isTurned && !asShown)
    report('image-rotated', `EXIF orientation ${orientation}; annotations are taken to count stored pixels`);
}

/** Whether a file may be what the manifest says; a file that the manifest does not know may. */
function isAsExpected(
  path: string,
  digest: string,
  expected: Digests,
  report: (kind: ProblemKind, found: string) => void,
): boolean {
  const wanted = expected.get(path);
  if (wanted === undefined) report('image-unlisted', `the manifest has no ${path}`);
  else if (wanted !== digest) report('image-changed', `SHA-256 ${digest}, in the manifest ${wanted}`);
  return wanted === undefined || wanted === digest;
}

function noteFacts(
  image: ImageRecord,
  annotations: readonly AnnotationRecord[],
  source: string,
  problems: Problems,
): void {
  for (const { crowd, box, id, place } of annotations) {
    if (crowd) problems.add({ kind: 'crowd', source, place, found: `annotation ${id} of ${image.file}` });
    const side = Math.min(box[2] - box[0], box[3] - box[1]);
    if (side >= 1) continue;
    const found = `annotation ${id} of ${image.file}: a side of ${Math.round(side * 100) / 100} pixels`;
    problems.add({ kind: 'box-tiny', source, place: `${place}/bbox`, found });
  }
}

/** Exports that were put together twice have every object twice: a model would find each once, and half of them missed. */
function noteTwins(
  image: ImageRecord,
  annotations: readonly AnnotationRecord[],
  source: string,
  problems: Problems,
): void {
  if (annotations.length < 2) return;
  const seen = new Map<string, AnnotationRecord[]>();
  for (const annotation of annotations) {
    const { box, categoryId } = annotation;
    const key = `${categoryId} ${box.join(' ')}`;
    const others = seen.get(key) ?? [];
    const twin = others.find((other) => sameOutline(other.segmentation, annotation.segmentation));
    if (twin === undefined) seen.set(key, [...others, annotation]);
    else {
      const found = `annotation ${annotation.id} of ${image.file} is annotation ${twin.id} again`;
      problems.add({ kind: 'duplicate-object', source, place: annotation.place, found });
    }
  }
}

function sameOutline(a: Segmentation | undefined, b: Segmentation | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'polygons' && b.kind === 'polygons')
    return a.parts.length === b.parts.length && a.parts.every((part, i) => sameNumbers(part, b.parts[i]!));
  if (a.kind === 'runs' && b.kind === 'runs') return sameNumbers(a.runs.counts, b.runs.counts);
  return a.kind === 'rle' && b.kind === 'rle' && a.counts === b.counts;
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function imageProblem(code: ErrorCode): ProblemKind {
  if (code === 'IMAGE_MISSING' || code === 'FILE_MISSING') return 'image-missing';
  if (code === 'IMAGE_TOO_LARGE') return 'image-too-large';
  if (code === 'IMAGE_TOO_SLOW') return 'image-too-slow';
  return code === 'PATH_REFUSED' ? 'path-refused' : 'image-corrupt';
}

function fileProblem({ code }: RcnnError): ProblemKind {
  if (code === 'FILE_REFUSED') return 'file-refused';
  return code === 'FILE_MISSING' ? 'file-missing' : 'file-malformed';
}

function factsOf({ source, set }: InspectedSplit): SplitFacts {
  const kept = [...set.byImage.values()].flat();
  const areas = kept.map(({ area, box }) => area ?? (box[2] - box[0]) * (box[3] - box[1]));
  const bySize = set.images.map(({ size }) => size).sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  return {
    split: source.split,
    format: source.format,
    annotations: source.annotations,
    images: set.images.length,
    objects: kept.length,
    crowds: kept.filter(({ crowd }) => crowd).length,
    emptyImages: [...set.byImage.values()].filter((list) => list.length === 0).length,
    sizes: {
      small: areas.filter((area) => area <= 32 ** 2).length,
      medium: areas.filter((area) => area > 32 ** 2 && area <= 96 ** 2).length,
      large: areas.filter((area) => area > 96 ** 2).length,
    },
    objectSizes: objectSizes(
      set.images.map(({ id, size }) => ({ size, boxes: learnt(set.byImage.get(id) ?? []).map(({ box }) => box) })),
    ),
    smallest: bySize[0],
    largest: bySize.at(-1),
  };
}

/** What a training would learn from. */
function learnt(annotations: readonly AnnotationRecord[]): AnnotationRecord[] {
  return annotations.filter(({ crowd }) => !crowd);
}

/** Ids that mean one thing here and another there: a model trained on one split would be measured on other classes. */
function compareCategories(splits: readonly InspectedSplit[], problems: Problems): void {
  const first = new Map<number, { readonly name: string; readonly split: string }>();
  for (const { set, source } of splits) {
    if (source.format !== 'coco') continue; // the others have names only
    for (const [i, { id, name, textId }] of set.categories.entries()) {
      if (textId !== undefined) continue; // the number is ours
      const known = first.get(id);
      if (known === undefined) first.set(id, { name, split: source.split });
      else if (known.name !== name) {
        const found = `id ${id} is '${name}' here and '${known.name}' in ${known.split}`;
        const kind = plainName(known.name) === plainName(name) ? 'category-spelling' : 'category-differs';
        problems.add({ kind, source: set.source, place: `/categories/${i}/id`, found });
      }
    }
  }
}

/** Brush masks of CVAT come as crowds: a warning per split, where a note per object would say too little. */
function noteCrowdsOnly({ source, annotations }: CheckedSet, problems: Problems): void {
  if (annotations.length === 0 || !annotations.every(({ crowd }) => crowd)) return;
  problems.add({
    kind: 'crowds-only',
    source,
    place: annotations[0]!.place,
    found: `${annotations.length} of ${counted(annotations.length, 'object')}; CVAT marks brush masks so: export polygons, or set iscrowd to 0`,
  });
}

/** Objects per class and split; a class without any in all of them is noted. */
function classCounts(splits: readonly InspectedSplit[], problems: Problems): readonly ClassCount[] {
  const classes = new Map<
    string,
    { categoryId: number; place: string; source: string; objects: Record<string, number> }
  >();
  for (const { set, source } of splits) {
    const counts = new Map<number, number>();
    for (const list of set.byImage.values())
      for (const { categoryId } of list) counts.set(categoryId, (counts.get(categoryId) ?? 0) + 1);
    for (const [i, { id, name }] of set.categories.entries()) {
      const entry = classes.get(name) ?? { categoryId: id, place: `/categories/${i}`, source: set.source, objects: {} };
      entry.objects[source.split] = counts.get(id) ?? 0;
      classes.set(name, entry);
    }
  }
  for (const [name, { objects, place, source }] of classes) {
    if (Object.values(objects).every((count) => count === 0)) {
      problems.add({ kind: 'category-unused', source, place, found: `'${name}'` });
    }
  }
  return [...classes].map(([name, { categoryId, objects }]) => ({ name, categoryId, objects }));
}
