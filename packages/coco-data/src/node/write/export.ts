import { writeFile } from 'node:fs/promises';
import { OutputFolder, writeError } from '@rcnn/files';
import { stringify } from 'yaml';
import { checkRecords, withoutEmpty } from '../../doctor/check.ts';
import { type ProblemCount, Problems } from '../../doctor/problems.ts';
import { requireMost } from '../../doctor/require-most.ts';
import { labelmeOf } from '../../formats/labelme/write-labelme.ts';
import { yoloLines } from '../../formats/yolo/write-yolo.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageRecord } from '../../records.ts';
import { FolderImages } from '../images/folder-images.ts';
import { type OpenOptions, readSource, selectSources } from '../read/open.ts';
import { bringImage, type ConvertOptions } from './convert.ts';
import { exportable } from './exportable.ts';
import { drawnOn, writeUpright } from './upright.ts';

/** One split that {@link exportDataset} wrote. */
export interface ExportedSplit {
  readonly split: string;
  readonly images: number;
  readonly objects: number;
  /** Crowds: these formats have no word for them, so they are not written. */
  readonly leftOut: number;
  /** With policy `drop`: what else was left out, and why. */
  readonly problems: readonly ProblemCount[];
}

/**
 * Writes a dataset as other tools keep it: `yolo` (outlines; `data.yaml`, `images/<split>` and `labels/<split>`) or `labelme`
 * (a JSON file beside every picture, a folder per split).
 * @throws FILE_EXISTS rather than overwrite; the errors of reading, unless the policy is `drop`
 */
export async function exportDataset(
  path: string,
  out: string,
  to: 'yolo' | 'labelme',
  options: OpenOptions & Pick<ConvertOptions, 'maxSkipRate'> = {},
): Promise<readonly ExportedSplit[]> {
  const sources = await selectSources(path, options);
  const sets: {
    readonly set: AnnotationSet;
    readonly split: string;
    readonly store: FolderImages;
    readonly problems: Problems;
  }[] = [];
  for (const source of sources) {
    const problems = new Problems();
    const read = checkRecords(await readSource(source, problems, options), problems);
    const drops = options.policy === 'drop';
    if (!drops) problems.throwErrors(read.source);
    const store = new FolderImages(source.images, options);
    const kept = options.keepEmpty === false ? withoutEmpty(read) : read;
    const set = await exportable(kept, store, problems);
    if (!drops) problems.throwErrors(set.source);
    requireMost(set, problems, options.maxSkipRate);
    sets.push({ set, split: source.split, store, problems });
  }
  const output = await OutputFolder.open(out);
  const names = [...new Set(sets.flatMap(({ set }) => set.categories.map(({ name }) => name)))];
  const writer = to === 'yolo' ? writeYoloImage(names) : writeLabelmeImage;
  const folders: Record<string, string> = {};
  const done: ExportedSplit[] = [];
  for (const { set, split, store, problems } of sets) {
    const folder = output.takeFolder(split);
    folders[splitKey(folder, folders, sets.length)] = `images/${folder}`;
    done.push({
      split,
      problems: problems.list(),
      ...(await writeSplit(set, store, to === 'yolo' ? `images/${folder}` : folder, output, writer)),
    });
  }
  if (to === 'yolo') await writeNew(output, 'data.yaml', stringify({ ...folders, names }));
  return done;
}

/**
 * The name of a split in `data.yaml`: YOLO's tools know `train`, `val` and `test` alone, and want the first.
 * A name like none of them is that of the only split, which is then for training, or stays.
 */
function splitKey(split: string, taken: Readonly<Record<string, string>>, splits: number): string {
  const like = /^(train|val|test)/i.exec(split)?.[1]?.toLowerCase();
  const key = like ?? (splits === 1 ? 'train' : split);
  return Object.hasOwn(taken, key) ? split : key;
}

/** What is written beside one picture, and where. */
type ImageWriter = (
  image: ImageRecord,
  name: string,
  folder: string,
  annotations: readonly AnnotationRecord[],
  categories: readonly Category[],
) => { readonly file: string; readonly text: string };

async function writeSplit(
  set: AnnotationSet,
  store: FolderImages,
  folder: string,
  output: OutputFolder,
  write: ImageWriter,
): Promise<Omit<ExportedSplit, 'split' | 'problems'>> {
  const byImage = new Map(set.images.map(({ id }) => [id, [] as AnnotationRecord[]]));
  for (const annotation of set.annotations) if (!annotation.crowd) byImage.get(annotation.imageId)?.push(annotation);
  const stems = new Set<string>();
  let objects = 0;
  for (const image of set.images) {
    const name = freeName(image.file, stems, (wanted) => output.take(folder, wanted));
    await bringAsDrawn(image, store, await output.file(`${folder}/${name}`));
    const annotations = byImage.get(image.id)!;
    const { file, text } = write(image, name, folder, annotations, set.categories);
    await writeNew(output, file, text);
    objects += annotations.length;
  }
  return { images: set.images.length, objects, leftOut: set.annotations.length - objects };
}

/** Programs of these formats turn pictures by EXIF before they look at the annotations: a copy has nothing to turn. */
async function bringAsDrawn(image: ImageRecord, store: FolderImages, target: string): Promise<void> {
  const pixels = await drawnOn(image, store);
  if (pixels === undefined) await bringImage(await store.locate(image.file), target);
  else await writeUpright(await store.read(image.file), target, pixels);
}

/** Files are told apart by what stands before their ending: `a.jpg` and `a.png` would share their annotations. */
function freeName(file: string, stems: Set<string>, take: (name: string) => string): string {
  const base = file.split(/[/\\]/).at(-1)!;
  const written = /\.[^.]+$/.exec(base)?.[0] ?? '';
  const ending = /^\.(?:jfif|jpe)$/i.test(written) ? '.jpg' : written; // YOLO's tools know no other
  let stem = base.slice(0, base.length - written.length);
  for (let number = 2; stems.has(stem.toLowerCase()); number++)
    stem = `${base.slice(0, base.length - written.length)}-${number}`;
  const name = take(stem + ending);
  stems.add(stemOf(name).toLowerCase());
  return name;
}

function stemOf(name: string): string {
  return name.replace(/(?<=.)\.[^.]+$/, '');
}

function writeYoloImage(names: readonly string[]): ImageWriter {
  return ({ size }, name, folder, annotations, categories) => {
    const indexOf = new Map(categories.map((category) => [category.id, names.indexOf(category.name)]));
    return {
      file: `${folder.replace(/^images\//, 'labels/')}/${stemOf(name)}.txt`,
      text: yoloLines(annotations, size, indexOf),
    };
  };
}

const writeLabelmeImage: ImageWriter = (image, name, folder, annotations, categories) => ({
  file: `${folder}/${stemOf(name)}.json`,
  text: `${JSON.stringify(labelmeOf(name, image.size, annotations, categories), null, 2)}\n`,
});

async function writeNew(output: OutputFolder, path: string, text: string): Promise<void> {
  const file = await output.file(path);
  await writeFile(file, text, { flag: 'wx' }).catch((cause: unknown) => {
    throw writeError(file, cause);
  });
}
