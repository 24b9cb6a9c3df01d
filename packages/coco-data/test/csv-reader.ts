import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { DatasetReader } from '../src/node/index.ts';
import { decodeImage, FolderImages } from '../src/node/index.ts';

/** Boxes in a file `boxes.csv`, a line each: `file,class,x1,y1,x2,y2`. The reader of docs/add-a-reader.md. */
export const csvReader: DatasetReader = {
  format: 'csv',

  async find(path) {
    if (basename(path) !== 'boxes.csv') return [];
    return Promise.resolve([{ format: 'csv', split: 'all', annotations: path, images: dirname(path) }]);
  },

  async read({ annotations: file, images: folder }, problems) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const store = new FolderImages(folder);
    const images = new Map<string, { id: string; file: string; size: readonly [number, number]; place: string }>();
    const classes = new Map<string, number>();
    const annotations = [];
    for (const [i, line] of text.split('\n').entries()) {
      if (line === '') continue;
      const [name, label, ...corners] = line.split(',');
      const place = `${basename(file)}:${i + 1}`;
      const [x1, y1, x2, y2] = corners.map(Number);
      if (
        name === undefined ||
        label === undefined ||
        corners.length !== 4 ||
        !corners.map(Number).every(Number.isFinite)
      ) {
        problems.add({ kind: 'field-type', source: file, place, found: line });
        continue;
      }
      if (!images.has(name)) {
        const { height, width } = await decodeImage(await store.read(name), { name });
        images.set(name, { id: name, file: name, size: [height, width], place });
      }
      if (!classes.has(label)) classes.set(label, classes.size + 1);
      annotations.push({
        id: i + 1,
        imageId: name,
        categoryId: classes.get(label)!,
        box: [x1!, y1!, x2!, y2!] as const,
        crowd: false,
        place,
      });
    }
    const categories = [...classes].map(([name, id]) => ({ id, name }));
    return { source: file, images: [...images.values()], annotations, categories };
  },
};
