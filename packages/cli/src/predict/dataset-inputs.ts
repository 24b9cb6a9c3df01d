import { realpathSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { Dataset, ImageRecord } from '@rcnn/coco-data';
import { FolderImages } from '@rcnn/coco-data/node';
import { RcnnError } from '@rcnn/core/errors';
import type { Input } from './input.ts';
import type { Unit } from './unit.ts';

/** The images of a dataset, under its own ids and names. */
export function datasetUnits({ images, store }: Dataset): Unit[] {
  return images.map((image) => {
    const input: Input = { file: image.file, id: image.id, read: () => store.load(image) };
    return { name: image.file, images: input };
  });
}

/**
 * Images under the ids that a dataset gives them. One that it does not know stays in the list, and says so when it is
 * read: it costs itself.
 */
export function knownUnits(units: readonly Unit[], dataset: Dataset): Unit[] {
  const find = finder(dataset);
  const known = (input: Input): Input => {
    const image = find(input.file);
    if (image !== undefined) return { ...input, id: image.id, file: image.file };
    return { ...input, read: () => Promise.reject(unknownImage(input.file, dataset.name)) };
  };
  return units.map(({ name, images }): Unit => {
    if (typeof images !== 'function') return { name, images: known(images) };
    const all = async function* (): AsyncGenerator<Input> {
      for await (const input of images()) yield known(input);
    };
    return { name, images: all };
  });
}

/** Finds the record of a file: by where it is, else by the end of its path, where only one record fits. */
function finder({ images, store }: Dataset): (file: string) => ImageRecord | undefined {
  const root = store instanceof FolderImages ? store.root : undefined;
  const byPath = new Map(images.map((image) => [real(resolve(root ?? '.', image.file)), image]));
  const byName = new Map<string, ImageRecord[]>();
  for (const image of images) {
    const name = lastPart(image.file);
    byName.set(name, [...(byName.get(name) ?? []), image]);
  }
  return (file) => {
    const exact = byPath.get(real(resolve(file)));
    if (exact !== undefined) return exact;
    const sameName = byName.get(lastPart(file)) ?? [];
    if (sameName.length === 1) return sameName[0];
    const path = file.replaceAll(sep, '/');
    const fitting = sameName.filter((image) => path.endsWith(`/${image.file}`) || path === image.file);
    return fitting.length === 1 ? fitting[0] : undefined;
  };
}

function lastPart(file: string): string {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function unknownImage(where: string, dataset: string): RcnnError {
  return new RcnnError('UNKNOWN_ID', {
    where,
    problem: 'the data have no such image, or several of this name',
    expected: `an image of ${dataset}`,
    hint: 'Leave the images out to predict those of the data.',
  });
}
