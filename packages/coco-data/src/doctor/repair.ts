import { readdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { OutputFolder, writeError } from '@rcnn/files';
import { imagesById, sharedIds } from '../image-ids.ts';
import { pathProblem } from '../images/image-path.ts';
import { FolderImages } from '../node/images/folder-images.ts';
import { type MendedRecords, rereadRefused } from '../node/read/reread.ts';
import { bringImage, takeNames } from '../node/write/convert.ts';
import { writeUpright } from '../node/write/upright.ts';
import { writeCoco } from '../node/write/write-coco.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord } from '../records.ts';
import { checkRecords } from './check.ts';
import { examineImage, type InspectedSplit, type Inspection } from './inspect.ts';
import { numberCategories } from './number-categories.ts';
import { type ProblemCount, type ProblemKind, Problems } from './problems.ts';
import { refusedRecords } from './refused.ts';
import { repairAnnotation, unclipped } from './repair-annotation.ts';
import { type FileFacts, judgeImages, withIdsOfFiles } from './repair-images.ts';
import { accountOf, type Did, type Repair, type RepairAccount } from './repairs.ts';
import { looksLikeCorners, looksLikeFractions, manyOverhang } from './units.ts';

/** What was done for a repaired copy. */
export interface RepairResult {
  readonly repairs: readonly Repair[];
  readonly account: RepairAccount;
  /** Problems that no repair can decide: they are in the copy as well. */
  readonly left: readonly ProblemCount[];
}

/**
 * Writes a repaired copy of an inspected dataset in COCO's layout, with `repairs.json` beside it. What can be told from
 * the data is put right, the rest is left out and listed there, each object and image with its reason; nothing is
 * invented. The original is only read.
 * @throws FILE_EXISTS when `out` is a folder with something in it
 */
export async function repairDataset(inspection: Inspection, out: string): Promise<RepairResult> {
  await checkEmpty(out);
  const repairs: Repair[] = [];
  const output = await OutputFolder.open(out);
  for (const { source, why } of inspection.failed) {
    repairs.push({ split: source.split, action: 'left out file', source: source.annotations, place: '', what: why });
  }
  const patients = [];
  for (const split of inspection.splits) patients.push(await admit(split, inspection, repairs));
  const { categories, splits: numbers } = numberCategories(patients.map(({ raw }) => raw.categories));
  const byNewId = new Map(categories.map((category) => [category.id, category]));
  const tallies: SplitTally[] = [];
  for (const [i, patient] of patients.entries()) {
    for (const { action, place, what } of numbers[i]!.changes) patient.did(action, place, what);
    const byOldId = new Map([...numbers[i]!.numbers].map(([old, id]) => [old, byNewId.get(id)!]));
    const repaired = repairSplit(patient, categories, byOldId);
    await writeSplit(patient, repaired, output, inspection);
    tallies.push(tally(patient, repaired.set));
  }
  const account = sumUp(tallies, repairs);
  const left = inspection.report.problems.filter(({ kind }) => REMAINING.includes(kind));
  const file = await output.file('repairs.json');
  const text = `${JSON.stringify({ of: resolve(inspection.report.path), account, repairs, left }, null, 2)}\n`;
  await writeFile(file, text, { flag: 'wx' }).catch((cause: unknown) => {
    throw writeError(file, cause);
  });
  return { repairs, account, left };
}

/** What a reader already made of fields that were written in another way. */
const READ_ANYWAY: Readonly<Partial<Record<ProblemKind, Repair['action']>>> = {
  'number-text': 'mended field',
  'number-none': 'left out field',
  'category-id-text': 'matched id',
  'annotation-id-text': 'renumbered annotation',
};

/** Problems that no repair can decide. */
const REMAINING: readonly string[] = ['duplicate-across-splits', 'box-mask-disagree'];

interface UnreadAnnotation {
  readonly place: string;
  readonly imageId: ImageId | undefined;
}

/** A split with everything that is known of it before anything is decided. */
interface Patient {
  readonly split: InspectedSplit;
  /** With the records that could be mended. */
  readonly raw: AnnotationSet;
  readonly files: ReadonlyMap<ImageRecord, FileFacts>;
  readonly sizeless: ReadonlySet<ImageRecord>;
  readonly asShown: boolean;
  /** Records of annotations and of images that nothing could be made of, and files of them. */
  readonly unread: {
    readonly annotations: readonly UnreadAnnotation[];
    readonly images: number;
    /** Ids of those images that have one. */
    readonly imageIds: readonly ImageId[];
  };
  /** Annotations of which a part of the mask could not be used. */
  readonly partial: ReadonlySet<string>;
  readonly did: Did;
}

async function admit(split: InspectedSplit, { options }: Inspection, repairs: Repair[]): Promise<Patient> {
  const { source, raw, reading } = split;
  const did: Did = (action, place, what) => {
    repairs.push({ split: source.split, action, source: raw.source, place, what });
  };
  for (const { kind, examples } of reading.list(Number.POSITIVE_INFINITY)) {
    const action = READ_ANYWAY[kind];
    if (action !== undefined) for (const { place, found } of examples) did(action, place, found);
  }
  const refused = refusedRecords(raw, reading);
  const store = new FolderImages(source.images, options);
  const mended = await rereadRefused(source, new Set(refused.keys()), store, raw.categories);
  for (const { action, place, what } of mended.mendings) did(action, place, what);
  const places = new Set([...mended.images, ...mended.annotations].map(({ place }) => place));
  for (const { place } of mended.mendings) places.add(place);
  const unread = { annotations: [] as UnreadAnnotation[], images: 0, imageIds: [] as ImageId[] };
  const objects = new Set(raw.annotations.map(({ place }) => place));
  const remains = new Map(raw.remains?.map((annotation) => [annotation.place, annotation]));
  for (const [place, { kind, what, imageId, partOf }] of refused) {
    if (places.has(place)) continue;
    if (remains.has(place)) {
      did('left out mask', place, what);
      continue;
    }
    const isPart = partOf !== undefined && objects.has(partOf);
    did(isPart ? 'left out polygon part' : `left out ${kind}`, place, what);
    if (partOf !== undefined) continue; // its object is there, or counted once
    if (kind === 'annotation') unread.annotations.push({ place, imageId: mended.imageIds.get(place) ?? imageId });
    else if (kind === 'image') {
      unread.images++;
      const id = mended.idsOfImages.get(place);
      if (id !== undefined) unread.imageIds.push(id);
    }
  }
  const files = new Map(split.sound);
  for (const image of mended.images) {
    const facts = await examineImage(image, store);
    if (facts !== undefined) files.set(image, facts);
  }
  const asShown = options.orientation === 'apply';
  const { partial } = mended;
  const sizeless = new Set([...mended.sizeless, ...raw.images.filter(({ sizeOfFile }) => sizeOfFile !== undefined)]);
  return { split, raw: together(raw, mended, did), files, sizeless, partial, asShown, unread, did };
}

/** In the order of the file, as far as places tell it. */
function together(raw: AnnotationSet, mended: MendedRecords, did: Did): AnnotationSet {
  const images = [...raw.images, ...mended.images];
  const written = [...raw.annotations, ...mended.annotations, ...(raw.remains ?? [])];
  const annotations = withIdsOfFiles(images, written);
  for (const [i, { place, imageId }] of annotations.entries()) {
    const name = written[i]!.imageId;
    if (imageId !== name) did('matched id', place, `image ${JSON.stringify(name)} is ${JSON.stringify(imageId)}`);
  }
  return { source: raw.source, images, annotations, categories: [...raw.categories, ...mended.categories] };
}

interface RepairedSplit {
  readonly set: AnnotationSet;
  /** Files that are written as people see them. */
  readonly upright: ReadonlySet<string>;
}

function repairSplit(
  patient: Patient,
  categories: readonly Category[],
  categoryOf: ReadonlyMap<number, Category>,
): RepairedSplit {
  const { raw, did } = patient;
  const { images, upright, reasons } = repairImages(patient);
  const find = imagesById(images);
  const findRead = imagesById(raw.images);
  const sizeOf = (id: ImageId): ImageRecord['size'] | undefined => find(id)?.size;
  const corners = looksLikeCorners(raw.annotations, sizeOf) !== undefined;
  const fractions = looksLikeFractions(raw.annotations, sizeOf)?.what;
  const keepsOverhang = manyOverhang(raw.annotations, sizeOf) && !corners;
  const annotations = raw.annotations
    .map((annotation) => {
      const image = find(annotation.imageId);
      const missing = reasons(annotation.imageId) ?? `there is no image ${JSON.stringify(annotation.imageId)}`;
      const category = categoryOf.get(annotation.categoryId);
      const isPartial = patient.partial.has(annotation.place);
      const original = image && findRead(image.id);
      const whole = original && image ? unclipped(annotation, original.size, image.size) : annotation;
      const about = { image, missing, category, corners, fractions, keepsOverhang, isPartial, did };
      return repairAnnotation(whole, about);
    })
    .filter((annotation) => annotation !== undefined);
  const set = { source: raw.source, images, annotations: renumberAnnotations(annotations, did), categories };
  return { set: onlySound(set, did), upright };
}

function repairImages({ split, raw, files, sizeless, asShown, unread, did }: Patient): {
  readonly images: readonly ImageRecord[];
  readonly upright: ReadonlySet<string>;
  /** Why an image is not in the copy. */
  readonly reasons: (id: ImageRecord['id']) => string | undefined;
} {
  const shared = sharedIds(raw.images, unread.imageIds);
  const why = new Map<ImageRecord['id'], { readonly id: ImageRecord['id']; readonly text: string }>();
  const seen = new Set<ImageRecord['id']>();
  const leaveOut = (image: ImageRecord, text: string): boolean => {
    did('left out image', image.place, `${image.file}: ${text}`);
    if (!seen.has(image.id)) why.set(image.id, { id: image.id, text: `its image ${image.file} is left out: ${text}` });
    return false;
  };
  const candidates = raw.images.filter((image) => {
    if (shared.has(image.id)) return leaveOut(image, `id ${JSON.stringify(image.id)} means several files`);
    if (seen.has(image.id)) return leaveOut(image, 'the same image stands before it');
    if (!files.has(image))
      return leaveOut(image, pathProblem(image.file) ?? split.unsound.get(image) ?? 'its file cannot be used');
    seen.add(image.id);
    return true;
  });
  const find = imagesById(candidates);
  const byImage = new Map<ImageRecord, AnnotationRecord[]>(candidates.map((image) => [image, []]));
  for (const annotation of raw.annotations) {
    const image = find(annotation.imageId);
    if (image) byImage.get(image)!.push(annotation);
  }
  const verdicts = judgeImages(
    candidates.map((image) => ({
      image,
      facts: files.get(image)!,
      annotations: byImage.get(image)!,
      sizeless: sizeless.has(image),
      inFractions: split.source.format === 'yolo',
      asShown,
    })),
  );
  const upright = new Set<string>();
  const images = candidates.flatMap((image, i) => {
    const verdict = verdicts[i]!;
    if (!verdict.keep) {
      seen.delete(image.id);
      leaveOut(image, verdict.because);
      return [];
    }
    if (verdict.because !== undefined)
      did(
        verdict.upright ? 'turned image upright' : 'corrected size',
        image.place,
        `${image.file}: ${verdict.because}`,
      );
    if (verdict.upright) upright.add(image.file);
    return [{ ...image, size: verdict.size }];
  });
  const reason = imagesById([...why.values()]);
  return { images, upright, reasons: (id) => reason(id)?.text };
}

async function writeSplit(
  { split: { source }, did }: Patient,
  { set, upright }: RepairedSplit,
  output: OutputFolder,
  { options }: Inspection,
): Promise<void> {
  const folder = output.takeFolder(source.split);
  const store = new FolderImages(source.images, options);
  const copies = takeNames(output, folder, set.images);
  for (const [name, copy] of copies) {
    const target = await output.file(`${folder}/${copy}`);
    if (upright.has(name)) await writeUpright(await store.read(name), target);
    else await bringImage(await store.locate(name), target);
  }
  for (const { file, place } of set.images)
    if (copies.get(file) !== file) did('renamed image', place, `${file} is now ${copies.get(file)}`);
  const file = await output.file(`annotations/${output.take('annotations', `instances_${folder}.json`)}`);
  await writeCoco(file, { ...set, images: set.images.map((image) => ({ ...image, file: copies.get(image.file)! })) });
}

interface SplitTally {
  readonly images: { readonly original: number; readonly copy: number };
  readonly objects: { readonly original: number; readonly copy: number };
  readonly emptied: number;
}

function tally({ split, raw, unread }: Patient, copy: AnnotationSet): SplitTally {
  const had = new Set<string>();
  const find = imagesById(raw.images);
  const unknown = new Set<unknown>();
  const imageOf = ({ place, imageId }: UnreadAnnotation): ImageRecord | undefined =>
    imageId === undefined
      ? raw.images.find((image) => place.startsWith(`${image.place}/`) || place.startsWith(`${image.place} `))
      : find(imageId);
  for (const lost of unread.annotations) {
    const file = imageOf(lost)?.file;
    if (file !== undefined) had.add(file);
  }
  for (const { imageId } of raw.annotations) {
    const file = find(imageId)?.file;
    if (file !== undefined) had.add(file);
    else unknown.add(imageId);
  }
  const has = new Set<string>();
  const findCopy = imagesById(copy.images);
  for (const { imageId } of copy.annotations) has.add(findCopy(imageId)!.file);
  // Elsewhere than in COCO the objects stand inside the record of their image: how many there were is not known.
  const unreadWithObjects = split.source.format === 'coco' ? Math.min(unread.images, unknown.size) : unread.images;
  return {
    images: { original: raw.images.length + unread.images, copy: copy.images.length },
    objects: { original: raw.annotations.length + unread.annotations.length, copy: copy.annotations.length },
    emptied: unreadWithObjects + [...had].filter((file) => !has.has(file)).length,
  };
}

function sumUp(tallies: readonly SplitTally[], repairs: readonly Repair[]): RepairAccount {
  const sum = (value: (tally: SplitTally) => number): number => tallies.reduce((total, one) => total + value(one), 0);
  const total = (key: 'images' | 'objects') => {
    const [original, copy] = [sum((one) => one[key].original), sum((one) => one[key].copy)];
    return { original, copy, leftOut: original - copy };
  };
  const at = ({ split, place }: Repair): string => `${split} ${place}`;
  const gone = new Set(repairs.filter(({ action }) => action === 'left out annotation').map(at));
  const unmasked = new Set(repairs.filter(({ action }) => action === 'left out mask').map(at));
  return accountOf({
    images: total('images'),
    objects: total('objects'),
    masksLeftOut: [...unmasked].filter((place) => !gone.has(place)).length,
    filesLeftOut: repairs.filter(({ action }) => action === 'left out file').length,
    emptiedImages: sum(({ emptied }) => emptied),
  });
}

function renumberAnnotations(annotations: readonly AnnotationRecord[], did: Did): readonly AnnotationRecord[] {
  const used = new Set(annotations.map(({ id }) => id));
  const seen = new Set<number>([0]);
  let free = 1;
  return annotations.map((annotation) => {
    let { id } = annotation;
    if (seen.has(id)) {
      while (used.has(free) || seen.has(free)) free++;
      id = free;
      did('renumbered annotation', annotation.place, `${annotation.id} is now ${id}`);
    }
    seen.add(id);
    return { ...annotation, id };
  });
}

/** The last word has the check that loading does: nothing it refuses gets into the copy. */
function onlySound(set: AnnotationSet, did: Did): AnnotationSet {
  const { images, annotations, categories } = checkRecords(set, new Problems());
  const kept = new Set(annotations);
  for (const { place, id } of set.annotations.filter((annotation) => !kept.has(annotation))) {
    did('left out annotation', place, `annotation ${id} would still be refused`);
  }
  return { source: set.source, images, annotations, categories };
}

async function checkEmpty(out: string): Promise<void> {
  const names = await readdir(out).catch(() => []);
  if (names.length === 0) return;
  throw new RcnnError('FILE_EXISTS', {
    where: out,
    problem: 'the folder for the copy has something in it',
    found: names.slice(0, 3).join(', '),
    hint: 'Choose a new folder: nothing is overwritten.',
  });
}
