import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { DatasetSource } from '@rcnn/coco-data/node';
import { fileError, openRegular } from '@rcnn/files';
import type { StudioPicture } from '../api.ts';
import {
  type CocoDocument,
  documentText,
  EMPTY_DOCUMENT,
  parseDocument,
  type RawAnnotation,
  type RawImage,
} from './coco-document.ts';
import { objectOf } from './objects.ts';

/** One annotation file, in memory as it is on the disk: changes are in both or in neither. */
export class Split {
  readonly source: DatasetSource;
  readonly name: string;
  readonly file: string;
  /** The folder of its pictures. */
  readonly images: string;
  #document: CocoDocument;
  #byImage: ReadonlyMap<number, readonly RawAnnotation[]>;
  /** What the file system said of the file when it was last read or written. */
  #stamp = '';

  private constructor(source: DatasetSource) {
    const { split, annotations, images } = source;
    this.source = source;
    this.name = split;
    this.file = annotations;
    this.images = images;
    this.#document = EMPTY_DOCUMENT;
    this.#byImage = new Map();
  }

  /** @throws what `parseDocument` throws; FILE_REFUSED, IO_FAILED */
  static async open(source: DatasetSource): Promise<Split> {
    const split = new Split(source);
    await split.refresh();
    return split;
  }

  static async create(source: DatasetSource, document: CocoDocument): Promise<Split> {
    const split = new Split(source);
    await split.write(document);
    return split;
  }

  get document(): CocoDocument {
    return this.#document;
  }

  annotationsOf(imageId: number): readonly RawAnnotation[] {
    return this.#byImage.get(imageId) ?? [];
  }

  imageOf(id: number): RawImage | undefined {
    return this.#document.images.find((image) => image.id === id);
  }

  picture(image: RawImage): StudioPicture {
    const { id, file_name: file, width, height } = image;
    const annotations = this.annotationsOf(id);
    const objects = annotations.map((annotation) => objectOf(annotation, image));
    return {
      key: `${this.name}:${id}`,
      file,
      split: this.name,
      width,
      height,
      revision: revisionOf(annotations),
      objects,
    };
  }

  /** Reads the file again where another program has changed it meanwhile. */
  async refresh(): Promise<void> {
    const stamp = await stampOf(this.file);
    if (stamp === this.#stamp) return;
    const handle = await openRegular(this.file);
    try {
      this.#keep(parseDocument(await handle.readFile('utf8'), this.file));
    } finally {
      await handle.close();
    }
    this.#stamp = stamp;
  }

  /** All of it or nothing, on the disk when it settles. @throws DISK_FULL, IO_FAILED */
  async write(document: CocoDocument): Promise<void> {
    await atomicWrite(this.file, encoded(documentText(document)));
    this.#keep(document);
    this.#stamp = await stampOf(this.file);
  }

  #keep(document: CocoDocument): void {
    const byImage = new Map<number, RawAnnotation[]>();
    for (const annotation of document.annotations) {
      const own = byImage.get(annotation.image_id);
      if (own === undefined) byImage.set(annotation.image_id, [annotation]);
      else own.push(annotation);
    }
    this.#document = document;
    this.#byImage = byImage;
  }
}

/** Tells whether objects are those that somebody saw. From their records alone, so it outlives the server. */
export function revisionOf(annotations: readonly RawAnnotation[]): string {
  return createHash('sha256').update(JSON.stringify(annotations)).digest('hex').slice(0, 16);
}

/** Time, size and number of the file: what changes when somebody else writes it. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (cause) {
    throw fileError(file, 'the annotations cannot be read', cause);
  }
}

function* encoded(pieces: Iterable<string>): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const piece of pieces) yield encoder.encode(piece);
}
