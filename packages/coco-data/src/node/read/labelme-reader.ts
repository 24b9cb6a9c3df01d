import { basename, join } from 'node:path';
import { isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { Problems } from '../../doctor/problems.ts';
import { type LabelmeFile, objectsOf, parseLabelme } from '../../formats/labelme/parse-labelme.ts';
import type { AnnotationRecord, AnnotationSet, ImageRecord } from '../../records.ts';
import { readHead, readJSON } from '../files/text.ts';
import { FolderImages } from '../images/folder-images.ts';
import { ImageNames } from '../images/image-names.ts';
import { addFileProblem } from './file-problem.ts';
import { foldersWith, isFolder, namesIn, sourcesOfFolders } from './folders.ts';
import { ImageSizes } from './image-sizes.ts';
import { withPaintedMasks } from './labelme-mask.ts';
import type { DatasetReader } from './reader.ts';

const FORMAT = 'labelme';

/** labelme: a JSON file beside every picture, in one folder or one per split. */
export const labelmeReader: DatasetReader = {
  format: FORMAT,

  async find(path, { images }) {
    if (!(await isFolder(path))) return [];
    return sourcesOfFolders(FORMAT, await foldersWith(path, hasLabelme), images);
  },

  async read({ annotations, images }, problems, options) {
    const sizes = new ImageSizes(new FolderImages(images, options));
    const names = new ImageNames(sizes.store.root);
    const files: ReadFile[] = [];
    for (const name of (await namesIn(annotations)).filter((one) => one.endsWith('.json'))) {
      try {
        const file = await readFile(join(annotations, name), name, annotations, sizes, names, problems);
        if (file !== undefined) files.push(file);
      } catch (error) {
        if (!isRcnnError(error)) throw error;
        addFileProblem(problems, error, { source: annotations, place: name });
      }
    }
    sizes.report(annotations, problems);
    const told = oneForEachPicture(files, annotations, problems);
    return assemble(
      annotations,
      told.map(({ image }) => image),
      told.flatMap(({ objects }) => objects),
    );
  },
};

interface ReadFile {
  readonly image: ImageRecord;
  readonly objects: readonly Draft[];
}

/**
 * Files that name one picture: renamed datasets keep old names inside, so the file that is called like the picture is
 * its own; the others may speak of any picture, and are reported.
 */
function oneForEachPicture(files: readonly ReadFile[], source: string, problems: Problems): readonly ReadFile[] {
  const claims = new Map<string, ReadFile[]>();
  for (const file of files) claims.set(file.image.file, [...(claims.get(file.image.file) ?? []), file]);
  return files.filter(({ image: { file, place } }) => {
    const all = claims.get(file)!;
    const own = all.length === 1 ? all : all.filter(({ image }) => stemOf(image.place) === stemOf(file));
    if (own.length === 1 && own[0]!.image.place === place) return true;
    const others = all.map(({ image }) => image.place).filter((other) => other !== place);
    const found = `the picture ${file} is also that of ${others.slice(0, 3).join(', ')}`;
    problems.add({ kind: 'duplicate-image-id', source, place: `${place}/imagePath`, found });
    if (own.length !== 1 && all[0]!.image.place === place) problems.countLost(); // the picture, once
    return false;
  });
}

function stemOf(path: string): string {
  return basename(path.replaceAll('\\', '/')).replace(/\.[^.]+$/, '');
}

type Draft = Omit<AnnotationRecord, 'id' | 'categoryId' | 'crowd'> & { readonly label: string };

async function readFile(
  path: string,
  name: string,
  source: string,
  sizes: ImageSizes,
  names: ImageNames,
  problems: Problems,
): Promise<ReadFile | undefined> {
  const own = new Problems(Number.POSITIVE_INFINITY);
  const file = parseLabelme(await readJSON(path), name, source, own);
  if (file === undefined) {
    problems.addAll(own);
    problems.countLost();
    return undefined;
  }
  const image = await imageOf(file, name, names);
  const alike = await names.findPicture(basename(name, '.json'));
  // Renamed one after the other, files name their neighbours.
  if (alike !== undefined && alike !== image)
    own.add({
      kind: 'image-unclear',
      source,
      place: name,
      found: `read as ${image}, which it names; there is ${alike}`,
    });
  const isStated = file.size[0] > 0;
  const size = isStated
    ? file.size
    : await sizes.of(image).catch((error: unknown) => {
        problems.addAll(own);
        throw error;
      });
  const whole = await withPaintedMasks(file, size, source, own, sizes.store.options);
  reportParts(whole, image, own, problems);
  const objects = objectsOf(whole, size);
  return {
    image: { id: image, file: image, size, ...(!isStated && { sizeOfFile: 'record' as const }), place: name },
    objects: objects.map((object) => ({ ...object, imageId: image })),
  };
}

/** A shape that cannot be used is a part of an object where others of its group are left, or stand before it. */
function reportParts({ shapes, objects }: LabelmeFile, imageId: string, own: Problems, problems: Problems): void {
  const standing = new Map<string, string>();
  for (const { place } of shapes) {
    const key = objects.get(place)!;
    if (!standing.has(key)) standing.set(key, place);
  }
  for (const { examples } of own.list(Number.POSITIVE_INFINITY)) {
    for (const problem of examples) {
      const place = /^.* shape \d+/.exec(problem.place)?.[0] ?? '';
      const key = objects.get(place);
      const partOf = key === undefined ? undefined : standing.get(key);
      if (key !== undefined && partOf === undefined) standing.set(key, place);
      problems.add({ ...problem, imageId, ...(partOf !== undefined && partOf !== place && { partOf }) });
    }
  }
}

/** The picture that the file names, else the one that is called like it: renamed datasets keep old names inside. */
async function imageOf({ image: written, hasPicture }: LabelmeFile, json: string, names: ImageNames): Promise<string> {
  const found =
    (written === '' ? undefined : await names.find(written)) ?? (await names.findPicture(basename(json, '.json')));
  if (found !== undefined) return found;
  const name = written.split(/[/\\]/).at(-1) || `${basename(json, '.json')}.jpg`;
  if (!hasPicture) return name;
  throw new RcnnError('IMAGE_MISSING', {
    where: json,
    place: 'imageData',
    problem: `the picture ${quoteName(name)} is nowhere but in this file, where it is not read`,
    hint: "labelme's labelme_export_json writes it out.",
  });
}

/** Classes are the labels in alphabetical order. */
export function assemble(source: string, images: readonly ImageRecord[], drafts: readonly Draft[]): AnnotationSet {
  const names = [...new Set(drafts.map(({ label }) => label))].sort();
  const idOf = new Map(names.map((name, i) => [name, i + 1]));
  const annotations = drafts.map(({ label, ...draft }, i) => ({
    ...draft,
    id: i + 1,
    categoryId: idOf.get(label)!,
    crowd: false,
  }));
  return { source, images, annotations, categories: names.map((name, i) => ({ id: i + 1, name })) };
}

/** Whether a folder has files of labelme. */
export async function hasLabelme(folder: string): Promise<boolean> {
  for (const name of (await namesIn(folder)).filter((one) => one.endsWith('.json')).slice(0, 5)) {
    const head = await readHead(join(folder, name), 2 ** 20).catch(() => '');
    if (/"shapes"\s*:/.test(head) && /"(?:shape_type|points|imagePath)"\s*:/.test(head)) return true;
  }
  return false;
}
