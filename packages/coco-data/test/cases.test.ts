// Situations of public bug reports, each with variants of its kind: what the doctor says of them, what a repaired copy
// keeps, and what a training would learn from. Three pictures, two objects each, all outlined.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { datasetOffers } from '../src/index.ts';
import { inspectDataset, openDataset, repairDataset } from '../src/node/index.ts';
import { temporaryFolder } from './folders.ts';

const root = temporaryFolder();
const [WIDTH, HEIGHT] = [20, 12];

type Item = Record<string, unknown>;
interface Coco {
  images: Item[];
  annotations: Item[];
  categories: Item[];
}

/** What a case is, and what must come of it. */
interface Case {
  readonly change?: (coco: Coco, split: string) => void;
  /** What becomes of the text of the annotations. */
  readonly write?: (text: string) => string;
  readonly splits?: readonly string[];
  /** Pictures that are not the usual PNG, by file. */
  readonly pictures?: Readonly<Record<string, () => Promise<Uint8Array> | Uint8Array>>;
  /** Kinds that the doctor finds, notes left out; each as often as it is found. */
  readonly found?: readonly string[];
  /** Objects and masks that the copy lacks; both 0 where nothing is said. */
  readonly lost?: number;
  readonly unmasked?: number;
  /** Ids of categories in each split of the copy. */
  readonly categories?: string;
  /** Objects of the copy whose place or class is not the one drawn. */
  readonly moved?: readonly string[];
}

/** One picture is unlike another: twins would be told. */
async function picture(seed: number, orientation?: number): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * (seed + 3) * 7 + seed * 31) % 256);
  const image = sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  return (orientation === undefined ? image : image.withMetadata({ orientation })).png().toBuffer();
}

const square = (x: number, y: number, side = 6): number[] => [x, y, x + side, y, x + side, y + side, x, y + side];
const pairs = (part: readonly number[]): number[][] => part.flatMap((x, i) => (i % 2 === 0 ? [[x, part[i + 1]!]] : []));

/** The run lengths of a square. */
function runs([x, y, right, , , bottom]: readonly number[]): number[] {
  const side = bottom! - y!;
  const columns = Array.from({ length: right! - x! - 1 }, () => [HEIGHT - side, side]).flat();
  return [x! * HEIGHT + y!, side, ...columns, (WIDTH - right! + 1) * HEIGHT - bottom!];
}

const LEFT = [2, 3, 6, 6];
const RIGHT = [11, 2, 6, 6];

function plain(split: string): Coco {
  const images = [1, 2, 3].map((id) => ({ id, file_name: `${split}${id}.png`, width: WIDTH, height: HEIGHT }));
  const annotations = images.flatMap(({ id }) =>
    [LEFT, RIGHT].map((bbox, k) => ({
      id: 2 * id - 1 + k,
      image_id: id,
      category_id: k + 1,
      bbox,
      area: 36,
      iscrowd: 0,
      segmentation: [square(bbox[0]!, bbox[1]!)],
    })),
  );
  const categories = [
    { id: 1, name: 'red' },
    { id: 2, name: 'blue' },
  ];
  return { images, annotations, categories };
}

function put(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

const drawn = new Map<string, Uint8Array>();
beforeAll(async () => {
  for (const [s, split] of ['train', 'val'].entries())
    for (const id of [1, 2, 3]) drawn.set(`${split}${id}.png`, await picture(10 * s + id));
});

const of = (list: Item[], indices: readonly number[], change: Item): void => {
  for (const i of indices) Object.assign(list[i]!, change);
};
const all = (list: Item[], change: (item: Item) => Item): void => {
  for (const item of list) Object.assign(item, change(item));
};

const times = (kind: string, count: number): string[] => Array.from({ length: count }, () => kind);
const swap = (id: unknown): number => (id === 1 ? 2 : 1);
const isVal = (split: string, change: () => void): void => {
  if (split === 'val') change();
};
const shown = { width: HEIGHT, height: WIDTH };
const withLargeIds = (text: string): string => text.replaceAll(/"large (\d)"/g, '154171516140400000$1'); // nanoseconds

const CASES: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'boxes that are missing are made from the mask': {
    'in all': { change: ({ annotations }) => all(annotations, () => ({ bbox: undefined })) },
    'null in one': { change: ({ annotations }) => of(annotations, [2], { bbox: null }) },
    'no box and no area': {
      change: ({ annotations }) => all(annotations, () => ({ bbox: undefined, area: undefined })),
    },
    'an empty list in one, text in another': {
      change: ({ annotations }) => {
        of(annotations, [0], { bbox: [] });
        of(annotations, [3], { bbox: '2,3,6,6' });
      },
      found: ['field-type'],
    },
  },
  'boxes without masks are a dataset of boxes': {
    'empty lists': { change: ({ annotations }) => all(annotations, () => ({ segmentation: [] })) },
    'no such field': { change: ({ annotations }) => all(annotations, () => ({ segmentation: undefined })) },
    null: { change: ({ annotations }) => all(annotations, () => ({ segmentation: null })) },
    'some of them': {
      change: ({ annotations }) => of(annotations, [0, 4], { segmentation: [] }),
      found: ['segmentation-missing', 'segmentation-missing'],
    },
  },
  'crowds alone are told': {
    'all of them': { change: ({ annotations }) => all(annotations, () => ({ iscrowd: 1 })), found: ['crowds-only'] },
    'marked true': { change: ({ annotations }) => all(annotations, () => ({ iscrowd: true })), found: ['crowds-only'] },
    'one is none': { change: ({ annotations }) => of(annotations, [0, 1, 2, 3, 4], { iscrowd: 1 }) },
    'in one split': {
      splits: ['train', 'val'],
      change: ({ annotations }, split) => isVal(split, () => all(annotations, () => ({ iscrowd: 1 }))),
      found: ['crowds-only'],
    },
  },
  'degenerate boxes are made anew where there is a mask': {
    'no width, negative height, outside': {
      change: ({ annotations }) => {
        of(annotations, [0], { bbox: [2, 3, 0, 6] });
        of(annotations, [1], { bbox: [11, 2, 6, -6] });
        of(annotations, [4], { bbox: [500, 2, 6, 6] });
      },
      found: ['box-degenerate', 'box-degenerate', 'box-outside'],
    },
    'no size at all': {
      change: ({ annotations }) => of(annotations, [3], { bbox: [0, 0, 0, 0] }),
      found: ['box-degenerate'],
    },
    'left of the picture': {
      change: ({ annotations }) => of(annotations, [3], { bbox: [-50, 2, 6, 6] }),
      found: ['box-outside'],
    },
    'without a mask it is lost by name': {
      change: ({ annotations }) => of(annotations, [3], { bbox: [2, 3, 0, 6], segmentation: [] }),
      found: ['box-degenerate'],
      lost: 1,
    },
  },
  'bad parts of a mask cost themselves': {
    'a sliver of two points': {
      change: ({ annotations }) => of(annotations, [0], { segmentation: [square(2, 3), [5, 5, 6, 6]] }),
      found: ['polygon-short'],
    },
    'an odd part and one without area': {
      change: ({ annotations }) => {
        of(annotations, [0], { segmentation: [square(2, 3), [5, 5, 6, 6, 7]] });
        of(annotations, [1], { segmentation: [square(11, 2), [12, 4, 13, 4, 12, 4]] });
      },
      found: ['polygon-odd'],
    },
    'a flat list, and pairs': {
      change: ({ annotations }) => {
        of(annotations, [2], { segmentation: square(2, 3) });
        of(annotations, [3], { segmentation: [[[11, 2], [17, 2], [17, 8], [11, 8]]] }); // biome-ignore format: pairs
      },
      found: ['polygon-flat', 'polygon-not-finite'],
    },
    'nothing but the corners of a box': {
      change: ({ annotations }) => of(annotations, [4], { segmentation: [[2, 3, 8, 9]] }),
      found: ['polygon-short'],
      unmasked: 1,
    },
  },
  'ids that count from zero stay what they are, or agree': {
    'in both splits': {
      splits: ['train', 'val'],
      change: ({ annotations, categories }) => {
        all(annotations, ({ category_id: id }) => ({ category_id: Number(id) - 1 }));
        all(categories, ({ id }) => ({ id: Number(id) - 1 }));
      },
      found: ['category-id-zero', 'category-id-zero'],
      categories: '1 blue, 2 red | 1 blue, 2 red',
    },
    'a class fewer in one': {
      splits: ['train', 'val'],
      change: (coco, split) =>
        isVal(split, () => {
          coco.categories = coco.categories.slice(0, 1);
          coco.annotations = coco.annotations.filter(({ category_id: id }) => id === 1);
        }),
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
    'swapped in one': {
      splits: ['train', 'val'],
      change: ({ annotations, categories }, split) =>
        isVal(split, () => {
          all(annotations, ({ category_id: id }) => ({ category_id: swap(id) }));
          all(categories, ({ id }) => ({ id: swap(id) }));
        }),
      found: ['category-differs', 'category-differs'],
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
    'other numbers for the same names': {
      splits: ['train', 'val'],
      change: ({ annotations, categories }, split) =>
        isVal(split, () => {
          all(annotations, ({ category_id: id }) => ({ category_id: 40 + Number(id) }));
          all(categories, ({ id }) => ({ id: 40 + Number(id) }));
        }),
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
  },
  'ids that are text are matched': {
    'in annotations': {
      change: ({ annotations }) =>
        all(annotations, ({ id, image_id: image }) => ({ id: String(id), image_id: String(image) })),
    },
    'in images': { change: ({ images }) => all(images, ({ id }) => ({ id: String(id) })) },
    'of categories': {
      change: ({ annotations }) => all(annotations, ({ category_id: id }) => ({ category_id: String(id) })),
    },
    'words in both': {
      change: ({ images, annotations }) => {
        all(images, ({ id }) => ({ id: `img_${id}` }));
        all(annotations, ({ image_id: id }) => ({ image_id: `img_${id}` }));
      },
    },
  },
  'sizes that are missing are those of the files': {
    'in all': { change: ({ images }) => all(images, () => ({ width: undefined, height: undefined })) },
    'one side of one': {
      change: ({ images }) => of(images, [1], { height: undefined }),
    },
    zeros: { change: ({ images }) => of(images, [0, 2], { width: 0, height: 0 }) },
    'null and text': {
      change: ({ images }) => {
        of(images, [0], { width: null });
        of(images, [1], { height: '12' });
      },
      found: ['number-text'],
    },
  },
  'photographs that are stored turned': {
    'right, drawn as shown': {
      pictures: { 'train1.png': () => picture(1, 6) },
      change: ({ images, annotations }) => {
        of(images, [0], shown);
        of(annotations, [1], { bbox: [2, 12, 6, 6], segmentation: [square(2, 12)] });
      },
      found: ['image-turned'],
      moved: ['train1.png blue 2,12,6,6'],
    },
    'left, drawn as shown': {
      pictures: { 'train1.png': () => picture(1, 8) },
      change: ({ images, annotations }) => {
        of(images, [0], shown);
        of(annotations, [1], { bbox: [2, 12, 6, 6], segmentation: [square(2, 12)] });
      },
      found: ['image-turned'],
      moved: ['train1.png blue 2,12,6,6'],
    },
    'drawn as stored': { pictures: { 'train1.png': () => picture(1, 6) }, found: ['image-rotated'] },
    'no size, and only the shown picture holds them': {
      pictures: { 'train1.png': () => picture(1, 6) },
      change: ({ images, annotations }) => {
        of(images, [0], { width: undefined, height: undefined });
        of(annotations, [1], { bbox: [2, 12, 6, 6], segmentation: [square(2, 12)] });
      },
      found: ['box-outside', 'image-rotated', 'orientation-unsaid'],
      moved: ['train1.png blue 2,12,6,6'],
    },
  },
  'one bad picture costs that picture': {
    'cut short': {
      pictures: { 'train2.png': () => drawn.get('train2.png')!.subarray(0, 90) },
      found: ['image-corrupt'],
      lost: 2,
    },
    empty: { pictures: { 'train2.png': () => new Uint8Array(0) }, found: ['image-corrupt'], lost: 2 },
    'an HEIC photograph under another name': {
      pictures: { 'train2.png': () => Buffer.from('\0\0\0\u0018ftypheic\0\0\0\0mif1heic', 'latin1') },
      found: ['image-corrupt'],
      lost: 2,
    },
    'not there': {
      change: ({ images }) => of(images, [1], { file_name: 'gone.png' }),
      found: ['image-missing'],
      lost: 2,
    },
  },
  'pictures without objects are kept': {
    one: { change: (coco) => (coco.annotations = coco.annotations.slice(2)), lost: 0 },
    'all but one': { change: (coco) => (coco.annotations = coco.annotations.slice(4)) },
    'in a split of two': {
      splits: ['train', 'val'],
      change: (coco, split) => isVal(split, () => (coco.annotations = [])),
    },
    'and one that is not there': {
      change: (coco) => {
        coco.annotations = coco.annotations.slice(2);
        of(coco.images, [0], { file_name: 'gone.png' });
      },
      found: ['image-missing'],
    },
  },
  'names of other machines': {
    'with backslashes': {
      change: ({ images }) => all(images, ({ file_name: file }) => ({ file_name: `images\\${String(file)}` })),
    },
    'an upload folder': {
      change: ({ images }) => all(images, ({ file_name: file }) => ({ file_name: `/data/upload/4/${String(file)}` })),
    },
    'a drive': {
      change: ({ images }) => all(images, ({ file_name: file }) => ({ file_name: `C:\\Users\\me\\${String(file)}` })),
    },
    upwards: {
      change: ({ images }) => all(images, ({ file_name: file }) => ({ file_name: `..\\..\\media\\${String(file)}` })),
    },
  },
  'outlines in other forms': Object.fromEntries(
    (
      [
        ['a list too deep', (part) => [[part]], 'polygon-not-finite'],
        ['two parts a list too deep', (part) => [[part, part]], 'polygon-not-finite'],
        ['points in a list too deep', (part) => [[pairs(part)]], 'polygon-not-finite'],
        ["OpenCV's points", (part) => [pairs(part).map((point) => [point])], 'polygon-not-finite'],
        ["OpenCV's points alone", (part) => pairs(part).map((point) => [point]), 'polygon-not-finite'],
        ['text with commas', (part) => [part.join(',')], 'field-type'],
        ['text with spaces', (part) => part.join(' '), 'field-type'],
        [
          'run lengths of text',
          (part) => ({ size: [`${HEIGHT}`, `${WIDTH}`], counts: runs(part).map(String) }),
          ['number-text', 'number-text'],
        ],
        ['counts of text', (part) => ({ size: [HEIGHT, WIDTH], counts: runs(part).map(String) }), 'number-text'],
      ] as [string, (part: number[]) => unknown, string | string[]][]
    ).map(([name, form, kind]) => [
      name,
      {
        change: ({ annotations }: Coco) => {
          of(annotations, [0], { segmentation: form(square(2, 3)) });
          of(annotations, [3], { segmentation: form(square(11, 2)) });
        },
        found: [kind, kind].flat(),
      },
    ]),
  ),
  'no outline, in the words of tools': {
    'an empty object': {
      change: ({ annotations }) => of(annotations, [0], { segmentation: {} }),
      found: ['segmentation-missing'],
    },
    'an empty text': {
      change: ({ annotations }) => of(annotations, [0], { segmentation: '' }),
      found: ['segmentation-missing'],
    },
    'a list of nothing': {
      change: ({ annotations }) => of(annotations, [0], { segmentation: [null] }),
      found: ['segmentation-missing'],
    },
    'a crowd of nothing': { change: ({ annotations }) => all(annotations, () => ({ iscrowd: null })) },
  },
  'ids that are text': {
    'names for ids of categories': {
      change: ({ annotations, categories }) => {
        all(annotations, ({ category_id: id }) => ({ category_id: id === 1 ? 'red' : 'blue' }));
        all(categories, ({ name }) => ({ id: name }));
      },
      found: times('category-id-text', 2),
      categories: '1 red, 2 blue',
    },
    'ids of their own for categories': {
      change: ({ annotations, categories }) => {
        all(annotations, ({ category_id: id }) => ({ category_id: `c-${String(id)}` }));
        all(categories, ({ id }) => ({ id: `c-${String(id)}` }));
      },
      found: times('category-id-text', 2),
      categories: '1 red, 2 blue',
    },
    'annotations name categories': {
      change: ({ annotations }) =>
        all(annotations, ({ category_id: id }) => ({ category_id: id === 1 ? 'red' : 'blue' })),
      found: times('category-id-text', 6),
      categories: '1 red, 2 blue',
    },
    'a name that two categories have': {
      change: ({ annotations, categories }) => {
        of(annotations, [0], { category_id: 'red' });
        categories.push({ id: 3, name: 'red' });
      },
      found: ['duplicate-category-name', 'field-type'],
      lost: 1,
    },
    'annotations name files': {
      change: ({ annotations }) => all(annotations, ({ image_id: id }) => ({ image_id: `train${String(id)}.png` })),
      found: Array.from({ length: 6 }, () => 'unknown-image'),
    },
    'annotations name files without their endings': {
      change: ({ annotations }) => all(annotations, ({ image_id: id }) => ({ image_id: `train${String(id)}` })),
      found: Array.from({ length: 6 }, () => 'unknown-image'),
    },
    'an id beside a name of a file: it may mean anything': {
      change: ({ annotations }) => of(annotations, [0], { image_id: 'train1.png' }),
      found: ['unknown-image'],
      lost: 1,
    },
    'text for ids of annotations': {
      change: ({ annotations }) => all(annotations, ({ id }) => ({ id: `3f-${String(id)}` })),
      found: times('annotation-id-text', 6),
    },
    'no ids of annotations': {
      change: ({ annotations }) => all(annotations, ({ id }) => ({ id: id === 2 ? undefined : null })),
      found: times('annotation-id-text', 6),
    },
  },
  'ids beyond what JavaScript holds': {
    'of images, next to each other': {
      change: ({ images, annotations }) => {
        all(images, ({ id }) => ({ id: `large ${id}` }));
        all(annotations, ({ image_id: id }) => ({ image_id: `large ${id}` }));
      },
      write: withLargeIds,
    },
    'of categories': {
      change: ({ categories, annotations }) => {
        all(categories, ({ id }) => ({ id: `large ${id}` }));
        all(annotations, ({ category_id: id }) => ({ category_id: `large ${id}` }));
      },
      write: withLargeIds,
      found: times('category-id-text', 2),
      categories: '1 red, 2 blue',
    },
    'of annotations': {
      change: ({ annotations }) => all(annotations, ({ id }) => ({ id: `large ${id}` })),
      write: withLargeIds,
      found: times('annotation-id-text', 6),
    },
  },
  'text for ids of categories in two splits': {
    'a class fewer in one': {
      splits: ['train', 'val'],
      change: (coco, split) => {
        all(coco.categories, ({ name }) => ({ id: name }));
        all(coco.annotations, ({ category_id: id }) => ({ category_id: id === 1 ? 'red' : 'blue' }));
        isVal(split, () => {
          coco.categories.shift();
          coco.annotations = coco.annotations.filter(({ category_id: id }) => id === 'blue');
        });
      },
      found: times('category-id-text', 3),
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
  },
  'one class in two spellings': {
    'in two splits': {
      splits: ['train', 'val'],
      change: ({ categories }, split) => isVal(split, () => of(categories, [0], { name: 'Red ' })),
      found: ['category-spelling'],
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
    'in two splits, under other ids': {
      splits: ['train', 'val'],
      change: ({ categories, annotations }, split) =>
        isVal(split, () => {
          of(categories, [0], { name: ' BLUE' });
          of(categories, [1], { name: 'Red' });
          all(annotations, ({ category_id: id }) => ({ category_id: 3 - Number(id) }));
        }),
      found: ['category-differs', 'category-differs'],
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
    'in one file they stay two': {
      change: ({ categories, annotations }) => {
        categories.push({ id: 3, name: 'Red' });
        of(annotations, [0], { category_id: 3 });
      },
      found: ['category-spelling'],
      moved: ['train1.png Red 2,3,6,6'],
    },
  },
  'a root that holds the other classes': {
    'as Roboflow writes it': {
      change: ({ categories }) => {
        all(categories, () => ({ supercategory: 'things' }));
        categories.unshift({ id: 0, name: 'things', supercategory: 'none' });
      },
    },
    'last in the list': {
      change: ({ categories }) => {
        all(categories, () => ({ supercategory: 'things' }));
        categories.push({ id: 0, name: 'things', supercategory: 'none' });
      },
    },
    'in one split alone': {
      splits: ['train', 'val'],
      change: ({ categories }, split) =>
        isVal(split, () => {
          all(categories, () => ({ supercategory: 'things' }));
          categories.unshift({ id: 0, name: 'things', supercategory: 'none' });
        }),
      categories: '1 red, 2 blue | 1 red, 2 blue',
    },
    'with objects it is a class': {
      change: ({ categories, annotations }) => {
        categories.unshift({ id: 0, name: 'things', supercategory: 'none' });
        of(annotations, [0], { category_id: 0 });
      },
      found: ['category-id-zero'],
      moved: ['train1.png things 2,3,6,6'],
    },
  },
};

interface Copy extends Coco {
  annotations: (Item & { image_id: number; category_id: number; bbox: number[]; segmentation?: unknown })[];
}

/** Every object of the copy by its picture, class and box; those drawn at their places left out. */
function elsewhere(copies: readonly Copy[]): readonly string[] {
  return copies.flatMap(({ images, annotations, categories }) =>
    annotations.flatMap(({ image_id: image, category_id: category, bbox }) => {
      const [file] = images.filter(({ id }) => id === image).map(({ file_name: name }) => String(name));
      const [name] = categories.filter(({ id }) => id === category).map((one) => String(one['name']));
      const expected = name === 'red' ? LEFT : name === 'blue' ? RIGHT : undefined;
      return expected?.join() === bbox.join() ? [] : [`${file} ${name} ${bbox.join()}`];
    }),
  );
}

describe.each(Object.entries(CASES))('%s', (group, cases) => {
  test.each(Object.entries(cases))('%s', async (name, one) => {
    const { splits = ['train'], pictures = {}, change, found = [], lost = 0, unmasked = 0, moved = [] } = one;
    const { write = (text: string) => text } = one;
    const folder = join(root, `${group} ${name}`.replaceAll(/\W/g, '-'));
    let objects = 0;
    for (const split of splits) {
      const coco = plain(split);
      change?.(coco, split);
      objects += coco.annotations.length;
      put(`${folder}/annotations/instances_${split}.json`, write(JSON.stringify(coco)));
      for (const [file, bytes] of drawn)
        if (file.startsWith(split)) put(`${folder}/${split}/${file}`, (await pictures[file]?.()) ?? bytes);
    }
    const inspection = await inspectDataset(folder);
    const kinds = inspection.report.problems.filter(({ severity }) => severity !== 'note');
    expect(kinds.flatMap(({ kind, count }) => Array.from({ length: count }, () => kind)).sort()).toEqual(found);

    const out = `${folder}-copy`;
    const { account } = await repairDataset(inspection, out);
    expect(account).toMatchObject({
      objects: { original: objects, copy: objects - lost, leftOut: lost },
      masksLeftOut: unmasked,
    });
    const after = await inspectDataset(out);
    expect(after.report.counts.error).toBe(0);
    const copies = splits.map((split) => read(`${out}/annotations/instances_${split}.json`));
    expect(elsewhere(copies)).toEqual(moved);
    if (one.categories !== undefined) expect(copies.map(classesOf).join(' | ')).toBe(one.categories);
    const readable = inspection.report.counts.error === 0 ? [folder, out] : [out];
    for (const [s, split] of splits.entries()) {
      for (const path of readable) {
        const offers = datasetOffers(await openDataset(path, { split }));
        expect(offers.objects).toBe(copies[s]!.annotations.length);
      }
    }
  });
});

function read(file: string): Copy {
  return JSON.parse(readFileSync(file, 'utf8')) as Copy;
}

function classesOf({ categories }: Copy): string {
  return categories.map(({ id, name }) => `${String(id)} ${String(name)}`).join(', ');
}
