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
  /** Annotations of which a part of the mask could not be used. */
  readonly partial: ReadonlySet<string>;
  /** Images whose record states no size. */
  readonly sizeless: ReadonlySet<ImageRecord>;
}

const KEYS: readonly string[] = ['images', 'annotations', 'categories'];

/**
 * Reads a COCO file a second time, and of it the records that were refused: what can be told from each is put right.
 * Other formats say too little that could be mended in their text.
 * @param places JSON pointers of the refused records
 */
export async function rereadRefused(
  source: DatasetSource,
  places: ReadonlySet<string>,
  store: FolderImages,
): Promise<MendedRecords> {
  const found = new Gathered(source.annotations, places);
  const elements = new JSONElements(source.annotations, found);
  if (source.format === 'coco' && places.size > 0) {
    for await (const chunk of utf8Chunks(source.annotations)) elements.push(chunk);
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
  readonly partial = new Set<string>();
  sizeless: ReadonlySet<ImageRecord> = new Set();
  readonly #source: string;
  readonly #places: ReadonlySet<string>;
  readonly #images: { readonly image: ImageRecord; readonly sizeless: boolean }[] = [];

  constructor(source: string, places: ReadonlySet<string>) {
    this.#source = source;
    this.#places = places;
  }

  open(): void {}

  element(key: string, index: number, value: unknown): void {
    const place = `/${key}/${index}`;
    if (!KEYS.includes(key) || !this.#places.has(place)) return;
    const imageId = (value as { image_id?: unknown } | null)?.image_id;
    if (key === 'annotations' && (typeof imageId === 'number' || typeof imageId === 'string'))
      this.imageIds.set(place, imageId);
    const mended = mendElement(key as ListKey, value);
    const set = mended && this.#read(key as ListKey, mended.value);
    if (set === undefined) return;
    const image = set.images[0] && { ...set.images[0], place };
    const annotation = set.annotations[0] && { ...set.annotations[0], place };
    if (image) this.#images.push({ image, sizeless: mended!.sizeless });
    if (annotation) this.annotations.push(annotation);
    if (set.categories[0]) this.categories.push(set.categories[0]);
    if (mended!.mendings.some(({ action }) => action === 'left out polygon part')) this.partial.add(place);
    if (image ?? annotation ?? set.categories[0])
      this.mendings.push(...mended!.mendings.map((mending) => ({ ...mending, place })));
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
