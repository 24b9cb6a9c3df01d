import { isRcnnError } from '@rcnn/core/errors';
import { type ListKey, type LooseRecord, type Mending, mendElement } from '../../doctor/mend-element.ts';
import { Problems } from '../../doctor/problems.ts';
import { parseCoco } from '../../formats/coco/read-coco.ts';
import { JSONElements } from '../../formats/json/json-stream.ts';
import type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord } from '../../records.ts';
import { utf8Chunks } from '../files/text.ts';
import type { FolderImages } from '../images/folder-images.ts';
import { withFiles } from './coco-reader.ts';
import type { DatasetSource } from './open.ts';

/** Records that the reader had refused and that could be mended, each at the place where it stands in the file. */
export interface MendedRecords {
  readonly images: readonly ImageRecord[];
  readonly annotations: readonly AnnotationRecord[];
  readonly categories: readonly Category[];
  readonly mendings: readonly (Mending & { readonly place: string })[];
  /** Images that annotations name, by place, of all records that were read again. */
  readonly imageIds: ReadonlyMap<string, ImageId>;
  /** Ids that images of these records have, by place; whose record cannot be mended has objects all the same. */
  readonly idsOfImages: ReadonlyMap<string, ImageId>;
  /** Annotations of which a part of the mask could not be used. */
  readonly partial: ReadonlySet<string>;
  /** Images whose record states no size. */
  readonly sizeless: ReadonlySet<ImageRecord>;
}

/** A record whose category is named by text. */
interface ByText {
  readonly index: number;
  readonly value: LooseRecord;
}

const KEYS: readonly string[] = ['images', 'annotations', 'categories'];

/**
 * Reads a COCO file a second time, and of it the records that were refused: what can be told from each is put right.
 * Other formats say too little that could be mended in their text.
 * @param places JSON pointers of the refused records
 * @param categories those that were read: annotations may name them by text
 */
export async function rereadRefused(
  source: DatasetSource,
  places: ReadonlySet<string>,
  store: FolderImages,
  categories: readonly Category[],
): Promise<MendedRecords> {
  const found = new Gathered(source.annotations, places);
  const elements = new JSONElements(source.annotations, found);
  if (source.format === 'coco' && places.size > 0) {
    for await (const chunk of utf8Chunks(source.annotations)) elements.push(chunk);
    found.matchText(categories);
  }
  await found.findFiles(store);
  return found;
}

class Gathered implements MendedRecords {
  images: readonly ImageRecord[] = [];
  readonly annotations: AnnotationRecord[] = [];
  readonly categories: Category[] = [];
  readonly mendings: (Mending & { readonly place: string })[] = [];
  readonly imageIds = new Map<string, ImageId>();
  readonly idsOfImages = new Map<string, ImageId>();
  readonly partial = new Set<string>();
  sizeless: ReadonlySet<ImageRecord> = new Set();
  readonly #source: string;
  readonly #places: ReadonlySet<string>;
  readonly #images: { readonly image: ImageRecord; readonly sizeless: boolean }[] = [];
  readonly #byText = { categories: [] as ByText[], annotations: [] as ByText[] };

  constructor(source: string, places: ReadonlySet<string>) {
    this.#source = source;
    this.#places = places;
  }

  open(): void {}

  element(key: string, index: number, value: unknown): void {
    const place = `/${key}/${index}`;
    if (!KEYS.includes(key) || !this.#places.has(place)) return;
    const { id, image_id: imageId } = (value ?? {}) as LooseRecord;
    if (key === 'annotations' && isId(imageId)) this.imageIds.set(place, imageId);
    if (key === 'images' && isId(id)) this.idsOfImages.set(place, id);
    if (key === 'categories' && isTextId(value, 'id')) this.#byText.categories.push({ index, value });
    else if (key === 'annotations' && isTextId(value, 'category_id')) this.#byText.annotations.push({ index, value });
    else this.#mend(key as ListKey, place, value, []);
  }

  /**
   * Ids of categories that are text get numbers, in the order of the file; annotations that name a category by its text, or
   * by a name that one category alone has, get its number.
   */
  matchText(read: readonly Category[]): void {
    const all = [...read, ...this.categories];
    const numbers = new Map<unknown, number>();
    for (const { id, textId } of read) if (textId !== undefined) numbers.set(textId, id);
    let next = 1 + all.reduce((highest, { id }) => Math.max(highest, id), 0);
    for (const { index, value } of this.#byText.categories) {
      const text = value['id'];
      const id = numbers.get(text) ?? next++;
      numbers.set(text, id);
      const what = `id: ${JSON.stringify(text)} is now ${id}`;
      this.#mend('categories', `/categories/${index}`, { ...value, id }, [{ action: 'mended field', what }]);
    }
    const named = new Map<string, number | undefined>();
    for (const { id, name } of [...read, ...this.categories]) named.set(name, named.has(name) ? undefined : id);
    for (const { index, value } of this.#byText.annotations) {
      const text = value['category_id'] as string;
      const id = numbers.get(text) ?? named.get(text) ?? named.get(text.trim());
      if (id === undefined) continue;
      const what = `category ${JSON.stringify(text)} is ${id}`;
      const matched: Mending = { action: 'matched id', what };
      this.#mend('annotations', `/annotations/${index}`, { ...value, category_id: id }, [matched]);
    }
  }

  #mend(key: ListKey, place: string, value: unknown, before: readonly Mending[]): void {
    const mended = mendElement(key, value);
    const set = mended && this.#read(key, mended.value);
    if (set === undefined) return;
    const image = set.images[0] && { ...set.images[0], place };
    const annotation = set.annotations[0] && { ...set.annotations[0], place };
    if (image) this.#images.push({ image, sizeless: mended!.sizeless });
    if (annotation) this.annotations.push(annotation);
    if (set.categories[0]) this.categories.push(set.categories[0]);
    if (mended!.mendings.some(({ action }) => action === 'left out polygon part')) this.partial.add(place);
    if (image ?? annotation ?? set.categories[0])
      this.mendings.push(...[...before, ...mended!.mendings].map((mending) => ({ ...mending, place })));
  }

  /** As the reader does with the records that it takes. */
  async findFiles(store: FolderImages): Promise<void> {
    this.images = await withFiles(
      this.#images.map(({ image }) => image),
      this.#source,
      store,
    );
    this.sizeless = new Set(this.images.filter((_, i) => this.#images[i]!.sizeless));
  }

  /** The judge is the same reader: what it still refuses stays out. */
  #read(key: ListKey, value: LooseRecord): AnnotationSet | undefined {
    try {
      return parseCoco({ images: [], annotations: [], categories: [], [key]: [value] }, this.#source, new Problems());
    } catch (error) {
      if (isRcnnError(error)) return undefined;
      throw error;
    }
  }
}

function isId(value: unknown): value is ImageId {
  return typeof value === 'number' || typeof value === 'string';
}

/** Whether a record has text for an id, and no number in it. */
function isTextId(value: unknown, field: string): value is LooseRecord {
  const id = typeof value === 'object' && value !== null ? (value as LooseRecord)[field] : undefined;
  return typeof id === 'string' && id !== '' && !Number.isFinite(Number(id));
}
