import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { ImageSize } from '@rcnn/core';
import { type ErrorCode, isRcnnError, type RcnnError } from '@rcnn/core/errors';
import { decodeImage, readImageHeader } from '../node/images/decode.ts';
import { FolderImages } from '../node/images/folder-images.ts';
import { type DatasetSource, findSources, type OpenOptions, readSource } from '../node/read/open.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../records.ts';
import { type CheckedSet, checkMasks, checkRecords } from './check.ts';
import type { Digests } from './manifest.ts';
import { type ProblemCount, type ProblemKind, Problems, type Severity } from './problems.ts';

export interface InspectOptions extends OpenOptions {
  /** Told after every image. */
  readonly onProgress?: (done: number, total: number, split: string) => void;
  /** What the images were when the dataset was sound, of {@link readManifest}: tells damage that decodes all the same. */
  readonly expected?: Digests;
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
  /** Images that decode, with the size that their files have. */
  readonly sound: ReadonlyMap<ImageRecord, ImageSize>;
}

export interface Inspection {
  readonly report: DatasetReport;
  readonly splits: readonly InspectedSplit[];
  /** All of them, where the report has the first 20 of each kind. */
  readonly problems: Problems;
  /** Of the images that are sound; for {@link writeManifest}. */
  readonly digests: Digests;
}

const AT_ONCE = 4; // images on their way at a time

/**
 * Looks at everything in a dataset once: annotation files, every record, every image, every mask. Finds all problems,
 * changes nothing.
 * @throws FILE_MISSING, DATASET_INVALID when there is no dataset at all
 */
export async function inspectDataset(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const problems = new Problems(Number.POSITIVE_INFINITY);
  const all = await findSources(path, options);
  const sources = options.split === undefined ? all : all.filter(({ split }) => split === options.split);
  const root = (await stat(path)).isDirectory() ? path : dirname(path);
  const visit: Visit = { options, problems, root, seen: new Map(), digests: new Map() };
  const splits: InspectedSplit[] = [];
  for (const source of sources) {
    const split = await inspectSplit(source, visit);
    if (split) splits.push(split);
  }
  const classes = classCounts(splits, problems);
  const counts = { error: problems.count('error'), warning: problems.count('warning'), note: problems.count('note') };
  const report = { path, counts, problems: problems.list(), splits: splits.map(factsOf), classes };
  return { report, splits, problems, digests: visit.digests };
}

/** What one look at a dataset carries from image to image. */
interface Visit {
  readonly options: InspectOptions;
  readonly problems: Problems;
  /** The folder that paths in a manifest are below. */
  readonly root: string;
  /** Images by their pixels. */
  readonly seen: Map<string, { readonly split: string; readonly file: string }>;
  readonly digests: Map<string, string>;
}

async function inspectSplit(source: DatasetSource, visit: Visit): Promise<InspectedSplit | undefined> {
  const { options, problems } = visit;
  let raw: AnnotationSet;
  try {
    raw = await readSource(source, problems, options);
  } catch (error) {
    if (!isRcnnError(error)) throw error; // the file as a whole: one problem, the other splits are still looked at
    problems.add({
      kind: fileProblem(error),
      source: source.annotations,
      place: error.place ?? '',
      found: error.message,
    });
    return undefined;
  }
  const set = checkRecords(raw, problems);
  const store = new FolderImages(source.images, options);
  const sound = new Map<ImageRecord, ImageSize>();
  const annotated = new Set(raw.annotations.map(({ imageId }) => imageId));
  let done = 0;
  await eachOf(set.images, async (image) => {
    const annotations = set.byImage.get(image.id) ?? [];
    const size = await inspectImage(image, source, store, visit);
    if (size) sound.set(image, size);
    checkMasks(set.source, image, annotations, problems);
    noteFacts(image, annotations, set.source, problems);
    if (!annotated.has(image.id)) {
      problems.add({ kind: 'image-empty', source: set.source, place: image.place, found: image.file });
    }
    options.onProgress?.(++done, set.images.length, source.split);
  });
  return { source, raw, set, sound };
}

/** The size of the file if it is sound, even where the record states another. */
async function inspectImage(
  image: ImageRecord,
  { images, split }: DatasetSource,
  store: FolderImages,
  { options: { expected }, problems, root, seen, digests }: Visit,
): Promise<ImageSize | undefined> {
  const report = (kind: ProblemKind, found: string): void =>
    problems.add({ kind, source: images, place: image.place, found: `${image.file}: ${found}` });
  try {
    const bytes = await store.read(image.file);
    const path = relative(root, join(images, image.file)).replaceAll(sep, '/');
    const file = createHash('sha256').update(bytes).digest('hex');
    const changed = expected !== undefined && !isAsExpected(path, file, expected, report);
    const header = await readImageHeader(bytes, image.file);
    const { data, height, width } = await decodeImage(bytes, { ...store.options, name: image.file });
    if (height !== image.size[0] || width !== image.size[1]) {
      report('image-size', `the file has ${width}x${height}, its record ${image.size[1]}x${image.size[0]}`);
    }
    if (header.orientation > 1 && store.options.orientation !== 'apply') {
      report('image-rotated', `EXIF orientation ${header.orientation}; annotations are taken to count stored pixels`);
    }
    const digest = createHash('sha256').update(`${height}x${width}`).update(data).digest('base64');
    const twin = seen.get(digest);
    if (twin === undefined) seen.set(digest, { split, file: image.file });
    else if (twin.split === split) report('duplicate-image', `the same pixels as ${twin.file}`);
    else report('duplicate-across-splits', `the same pixels as ${twin.file} of ${twin.split}`);
    if (changed) return undefined;
    digests.set(path, file);
    return [height, width];
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    report(imageProblem(error.code), error.message);
    return undefined;
  }
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
    smallest: bySize[0],
    largest: bySize.at(-1),
  };
}

/** Objects per class and split; a class without any in all of them is noted. */
function classCounts(splits: readonly InspectedSplit[], problems: Problems): readonly ClassCount[] {
  const classes = new Map<
    string,
    { categoryId: number; place: string; source: string; objects: Record<string, number> }
  >();
  for (const { set, source } of splits) {
    for (const [i, { id, name }] of set.categories.entries()) {
      const entry = classes.get(name) ?? { categoryId: id, place: `/categories/${i}`, source: set.source, objects: {} };
      entry.objects[source.split] = [...set.byImage.values()]
        .flat()
        .filter(({ categoryId }) => categoryId === id).length;
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

/** Runs `work` on every item, a few at a time. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
