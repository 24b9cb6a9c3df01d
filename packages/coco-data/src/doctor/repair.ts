import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ImageSize } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { PatchMask } from '@rcnn/transforms';
import { maskOf } from '../masks.ts';
import { FolderImages } from '../node/images/folder-images.ts';
import { bringImage, takeNames } from '../node/write/convert.ts';
import { OutputFolder } from '../node/write/output-folder.ts';
import { writeCoco } from '../node/write/write-coco.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../records.ts';
import { checkRecords, isAreaFarOff } from './check.ts';
import type { InspectedSplit, Inspection } from './inspect.ts';
import { type Problem, Problems } from './problems.ts';

/** One thing that was done for the copy. */
export interface Repair {
  readonly split: string;
  readonly action:
    | 'left out image'
    | 'left out annotation'
    | 'left out category'
    | 'corrected size'
    | 'made box anew from mask'
    | 'clipped box'
    | 'made area anew from mask'
    | 'renumbered annotation'
    | 'renumbered category';
  /** Where the record stood in the original. */
  readonly place: string;
  readonly what: string;
}

/**
 * Writes a repaired copy of an inspected dataset in COCO's layout, with `repairs.json` beside it. What can be told from
 * the data is corrected, the rest is left out; nothing is invented. The original is only read.
 * @throws FILE_EXISTS when `out` is a folder with something in it
 */
export async function repairDataset({ report, splits, problems }: Inspection, out: string): Promise<readonly Repair[]> {
  await checkEmpty(out);
  const repairs: Repair[] = [];
  const output = await OutputFolder.open(out);
  for (const split of splits) {
    const { source } = split;
    const { images, annotations, categories } = repairSplit(split, problems, repairs);
    const folder = output.takeFolder(source.split);
    const store = new FolderImages(source.images);
    const copies = takeNames(output, folder, images);
    for (const [name, copy] of copies)
      await bringImage(await store.locate(name), await output.file(`${folder}/${copy}`));
    const file = await output.file(`annotations/${output.take('annotations', `instances_${folder}.json`)}`);
    const renamed = images.map((image) => ({ ...image, file: copies.get(image.file)! }));
    await writeCoco(file, { source: file, images: renamed, annotations, categories });
  }
  const left = report.problems.filter(({ kind }) => kind === 'duplicate-across-splits' || kind === 'box-mask-disagree');
  await mkdir(out, { recursive: true });
  await writeFile(
    join(out, 'repairs.json'),
    `${JSON.stringify({ of: resolve(report.path), repairs, left }, null, 2)}\n`,
  );
  return repairs;
}

type Did = (action: Repair['action'], place: string, what: string) => void;

function repairSplit(split: InspectedSplit, problems: Problems, repairs: Repair[]): AnnotationSet {
  const { source, raw } = split;
  const did: Did = (action, place, what) => {
    repairs.push({ split: source.split, action, place, what });
  };
  for (const { place, found } of unread(raw, problems)) did('left out annotation', place, found);
  const images = repairImages(split, did);
  const { categories, numbers } = renumberCategories(split.set.categories, did);
  for (const { id, name } of raw.categories.filter((category) => !split.set.categories.includes(category))) {
    did('left out category', '/categories', `${id} '${name}', whose id is taken`);
  }
  const byId = new Map(images.map((image) => [image.id, image]));
  const annotations = raw.annotations
    .map((annotation) => repairAnnotation(annotation, byId.get(annotation.imageId), numbers, did))
    .filter((annotation) => annotation !== undefined);
  const repaired = { source: raw.source, images, annotations: renumberAnnotations(annotations, did), categories };
  return onlySound(repaired, did);
}

/** Records that no reader could make anything of: the first problem of each. */
function unread(raw: AnnotationSet, problems: Problems): readonly Problem[] {
  const read = new Set(raw.annotations.map(({ place }) => place));
  const first = new Map<string, Problem>();
  for (const { severity, examples } of problems.list(Number.POSITIVE_INFINITY)) {
    if (severity !== 'error') continue;
    for (const problem of examples) {
      const record = /^\/annotations\/\d+/.exec(problem.place)?.[0];
      if (problem.source !== raw.source || record === undefined || read.has(record) || first.has(record)) continue;
      first.set(record, problem);
    }
  }
  return [...first.values()];
}

function repairImages({ raw, set, sound }: InspectedSplit, did: Did): readonly ImageRecord[] {
  const known = new Set(set.images);
  return raw.images.flatMap((image) => {
    const size = known.has(image) ? sound.get(image) : undefined;
    if (size === undefined) {
      did('left out image', image.place, image.file);
      return [];
    }
    if (sameSize(size, image.size)) return [image];
    did('corrected size', image.place, `${image.size.join('x')} is now ${size.join('x')} (height x width)`);
    return [{ ...image, size }];
  });
}

/** Category 0 moves behind the others, so that no label can mean background. */
function renumberCategories(
  categories: readonly Category[],
  did: Did,
): { categories: readonly Category[]; numbers: ReadonlyMap<number, number> } {
  const free = Math.max(0, ...categories.map(({ id }) => id)) + 1;
  const numbers = new Map(categories.map(({ id }) => [id, id === 0 ? free : id]));
  for (const [i, { id, name }] of categories.entries()) {
    if (id === 0) did('renumbered category', `/categories/${i}`, `'${name}' was 0 and is now ${free}`);
  }
  return { categories: categories.map((category) => ({ ...category, id: numbers.get(category.id)! })), numbers };
}

function repairAnnotation(
  annotation: AnnotationRecord,
  image: ImageRecord | undefined,
  categoryNumbers: ReadonlyMap<number, number>,
  did: Did,
): AnnotationRecord | undefined {
  const { place, box, area } = annotation;
  const leaveOut = (why: string): undefined => did('left out annotation', place, why) as undefined;
  const categoryId = categoryNumbers.get(annotation.categoryId);
  if (image === undefined) return leaveOut(`its image ${annotation.imageId} is not there`);
  if (categoryId === undefined) return leaveOut(`there is no category ${annotation.categoryId}`);
  const mask = maskPatch(annotation, image.size);
  if (typeof mask === 'string') return leaveOut(mask);
  const clipped = clip(box, image.size);
  const usable = clipped.every(Number.isFinite) && clipped[2] > clipped[0] && clipped[3] > clipped[1];
  if (!usable && mask === undefined) return leaveOut(`box ${box.join(', ')} cannot be used and there is no mask`);
  if (!usable) did('made box anew from mask', place, `${box.join(', ')} is now ${mask!.box.join(', ')}`);
  else if (box.some((side, i) => Math.abs(side - clipped[i]!) > 1))
    did('clipped box', place, `${box.join(', ')} is now ${clipped.join(', ')}`);
  const areaIsWrong = mask !== undefined && area !== undefined && isAreaFarOff(area, mask.area);
  if (areaIsWrong) did('made area anew from mask', place, `${area} is now ${mask.area}`);
  return {
    ...annotation,
    categoryId,
    box: usable ? clipped : mask!.box,
    ...(areaIsWrong && { area: mask.area }),
  };
}

/** The mask as pixels, undefined when there is none, or why it cannot be used. */
function maskPatch({ segmentation }: AnnotationRecord, size: ImageSize): PatchMask | undefined | string {
  if (segmentation === undefined) return undefined;
  if (segmentation.kind !== 'polygons') {
    const own = segmentation.kind === 'runs' ? segmentation.runs.size : segmentation.size;
    if (!sameSize(own, size)) return `its mask has the size ${own.join('x')}, the image ${size.join('x')}`;
  }
  try {
    const patch = PatchMask.from(maskOf(segmentation, size));
    return patch.isEmpty ? 'its mask covers no pixel' : patch;
  } catch (error) {
    if (isRcnnError(error)) return error.message;
    throw error;
  }
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

function clip([x1, y1, x2, y2]: AnnotationRecord['box'], [height, width]: ImageSize): AnnotationRecord['box'] {
  return [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)];
}

function sameSize(a: ImageSize, b: ImageSize): boolean {
  return a[0] === b[0] && a[1] === b[1];
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
