import { existsSync } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { FolderImages } from '@rcnn/coco-data/node';
import { counted, quoteName, RcnnError } from '@rcnn/core/errors';
import { fileError, type OutputFolder } from '@rcnn/files';
import { acquireLock, type Lock, validationSplits } from '@rcnn/train';
import type { StudioClass, StudioDataset, StudioObject, StudioPicture } from '../api.ts';
import { bringIn } from './bring-in.ts';
import {
  type CocoDocument,
  documentText,
  EMPTY_DOCUMENT,
  nextId,
  type RawAnnotation,
  type RawImage,
} from './coco-document.ts';
import { learnedSplit } from './learned-split.ts';
import { annotationOf } from './objects.ts';
import { openFolder, validationSource } from './open-folder.ts';
import { revisionOf, Split } from './split.ts';

/** Somebody else has changed the picture since it was looked at. */
export class Conflict extends Error {
  override readonly name = 'Conflict';
  /** As it is now. */
  readonly picture: StudioPicture;

  constructor(picture: StudioPicture) {
    super('This picture was changed meanwhile, in another window or by another program.');
    this.picture = picture;
  }
}

/** Where pictures go that are taken out: nothing is deleted. */
const REMOVED = 'removed';

/** The longest name of a class. */
const LONGEST_NAME = 200;

/**
 * The dataset folder that a person works on. Every change is on the disk, whole, when its promise settles; what other
 * programs write meanwhile is read before the next change. Changes wait for each other.
 */
export class DatasetStore {
  readonly folder: string;
  readonly #output: OutputFolder;
  readonly #splits: [Split, ...Split[]];
  readonly #notes: readonly string[];
  readonly #lock: Lock;
  readonly #taken = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    folder: string,
    output: OutputFolder,
    splits: readonly [Split, ...Split[]],
    notes: readonly string[],
    lock: Lock,
  ) {
    this.folder = folder;
    this.#output = output;
    this.#splits = [...splits];
    this.#notes = notes;
    this.#lock = lock;
  }

  /**
   * Opens a folder, or begins a dataset in it.
   * @throws LOCKED when another studio works there, and what `openFolder` throws
   */
  static async open(folder: string): Promise<DatasetStore> {
    const { output, splits, notes } = await openFolder(folder);
    const lock = acquireLock(join(folder, 'studio.lock'), 'studio');
    try {
      const store = new DatasetStore(folder, output, splits, notes, lock);
      await store.#reconcile();
      return store;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  close(): void {
    this.#lock.release();
  }

  /** Where pictures arrive: they are there to learn from. */
  get #learned(): Split {
    return learnedSplit(this.#splits);
  }

  /** The split that trainings find by themselves to measure on. */
  get #measured(): Split | undefined {
    const others = this.#splits.filter((split) => split !== this.#learned);
    const found = validationSplits(
      others.map(({ source }) => source),
      this.#learned.name,
    );
    return found.length === 1 ? this.#called(found[0]!.split) : undefined;
  }

  get splits(): readonly Split[] {
    return this.#splits;
  }

  dataset(): Promise<StudioDataset> {
    return this.#inTurn(() => ({
      name: basename(this.folder) || this.folder,
      folder: this.folder,
      classes: this.#classes(),
      pictures: this.#splits.flatMap((split) => split.document.images.map((image) => split.picture(image))),
      learnedSplit: this.#learned.name,
      measuredSplit: this.#measured?.name,
      canSplit: this.#canSplit(),
      notes: this.#notes,
    }));
  }

  /** Of all splits, each once. */
  #classes(): readonly StudioClass[] {
    const names = new Map(
      this.#splits.flatMap(({ document }) => document.categories.map(({ id, name }) => [id, name])),
    );
    return [...names].map(([id, name]) => ({ id, name }));
  }

  /** Pictures move between two splits of one folder of pictures, or there is room for the second. */
  #canSplit(): boolean {
    if (this.#splits.length === 1) return validationSource(this.folder, this.#learned) !== undefined;
    const [train, val] = ['train', 'val'].map((name) => this.#called(name));
    return this.#splits.length === 2 && val !== undefined && train?.images === val.images;
  }

  #called(name: string): Split | undefined {
    return this.#splits.find((split) => split.name === name);
  }

  picture(key: string): Promise<StudioPicture> {
    return this.#inTurn(() => {
      const { split, image } = this.#find(key);
      return split.picture(image);
    });
  }

  /** The record of a picture, and the folder that its file is in. @throws UNKNOWN_ID */
  file(key: string): { readonly image: RawImage; readonly folder: FolderImages } {
    const { split, image } = this.#find(key);
    return { image, folder: new FolderImages(split.images) };
  }

  /** The picture of the record at `index` in an annotation file, as the doctor counts them. */
  keyAt(file: string, list: 'images' | 'annotations', index: number): string | undefined {
    const split = this.#splits.find((one) => one.file === file);
    const id = list === 'images' ? split?.document.images[index]?.id : split?.document.annotations[index]?.image_id;
    return split === undefined || id === undefined ? undefined : `${split.name}:${id}`;
  }

  /**
   * Replaces the objects of a picture. The same edit twice is one edit.
   * @param revision of the objects that the edit was made from
   * @throws Conflict, UNKNOWN_ID, POLYGON_INVALID, DISK_FULL, IO_FAILED
   */
  saveObjects(key: string, revision: string, objects: readonly StudioObject[]): Promise<StudioPicture> {
    return this.#inTurn(async () => {
      const { split, image } = this.#find(key);
      const { document } = split;
      const before = new Map(split.annotationsOf(image.id).map((annotation) => [annotation.id, annotation]));
      const kept = objects.filter(({ id }) => id !== undefined && before.has(id)).map(({ id }) => id!);
      if (new Set(kept).size < kept.length) throw unknown('object', 'an id that comes twice');
      for (const { classId } of objects)
        if (!document.categories.some(({ id }) => id === classId)) throw unknown('class', String(classId));
      let next = nextId(document.annotations);
      const edited = objects.map((object): RawAnnotation => {
        const own = object.id === undefined ? undefined : before.get(object.id);
        return annotationOf(object, own, image, own?.id ?? next++);
      });
      if (isSameEdit(edited, split.annotationsOf(image.id))) return split.picture(image);
      if (revisionOf(split.annotationsOf(image.id)) !== revision) throw new Conflict(split.picture(image));
      const others = document.annotations.filter(({ image_id }) => image_id !== image.id);
      await split.write({ ...document, annotations: [...others, ...edited] });
      return split.picture(image);
    });
  }

  /** Puts a photograph into the dataset. @throws what `bringIn` throws */
  addPicture(name: string, bytes: Uint8Array): Promise<StudioPicture> {
    return this.#inTurn(async () => {
      const split = this.#learned;
      const inside = relative(this.folder, split.images).replaceAll(sep, '/');
      const { file, width, height } = await bringIn(bytes, name, this.#output, inside, this.#taken);
      const { document } = split;
      const image = { id: nextId(document.images), file_name: file, width, height };
      await split.write({ ...document, images: [...document.images, image] });
      return split.picture(image);
    });
  }

  /** Takes a picture out: the file and what was known of it go to `removed/`. */
  removePicture(key: string): Promise<void> {
    return this.#inTurn(async () => {
      const { split, image } = this.#find(key);
      const { document } = split;
      const path = await new FolderImages(split.images).locate(image.file_name).catch(() => undefined);
      const name = this.#output.take(REMOVED, await this.#freeRemoved(basename(image.file_name)));
      const target = await this.#output.file(`${REMOVED}/${name}`);
      const annotations = split.annotationsOf(image.id);
      const record = { ...EMPTY_DOCUMENT, images: [image], annotations, categories: document.categories };
      await atomicWrite(await this.#output.file(`${REMOVED}/${name}.json`), [...documentText(record)].join(''));
      await split.write(without(document, image.id));
      if (path === undefined) return;
      await rename(path, target).catch((cause: unknown) => {
        throw fileError(path, 'the picture cannot be moved', cause);
      });
    });
  }

  async #freeRemoved(name: string): Promise<string> {
    let free = name;
    for (let number = 2; existsSync(await this.#output.file(`${REMOVED}/${free}.json`)); number++)
      free = `${number}-${name}`;
    return free;
  }

  /** Sets a picture aside to measure on (`val`), or takes it back to learn from (`train`). */
  moveTo(key: string, name: 'train' | 'val'): Promise<StudioPicture> {
    return this.#inTurn(async () => {
      const { split, image } = this.#find(key);
      if (split.name === name) return split.picture(image);
      if (!this.#canSplit()) {
        throw new RcnnError('INVALID_ARGUMENT', {
          where: this.folder,
          problem: 'pictures of this dataset have a folder for each split; move them there',
        });
      }
      const target = await this.#splitNamed(name, split);
      const { document } = target;
      const id = target.imageOf(image.id) === undefined ? image.id : nextId(document.images);
      const moved = { ...image, id };
      let next = nextId(document.annotations);
      const annotations = split.annotationsOf(image.id).map((own) => ({ ...own, id: next++, image_id: id }));
      // Written where it arrives before it is taken away: a crash in between leaves it twice, and the next start once.
      await target.write({
        ...document,
        images: [...document.images, moved],
        annotations: [...document.annotations, ...annotations],
      });
      await split.write(without(split.document, image.id));
      await this.#dropEmpty();
      return target.picture(moved);
    });
  }

  async #splitNamed(name: string, like: Split): Promise<Split> {
    const found = this.#splits.find((split) => split.name === name);
    if (found !== undefined) return found;
    const source = validationSource(this.folder, like)!;
    const { rest, categories } = like.document;
    const split = await Split.create(source, { ...EMPTY_DOCUMENT, rest, categories });
    this.#splits.push(split);
    return split;
  }

  /** Nothing can be measured on a split without pictures. */
  async #dropEmpty(): Promise<void> {
    const at = this.#splits.findIndex(({ name, document }) => name === 'val' && document.images.length === 0);
    if (at < 0 || this.#splits.length === 1) return;
    const [{ file }] = this.#splits.splice(at, 1) as [Split];
    await unlink(file).catch((cause: unknown) => {
      throw fileError(file, 'the file cannot be removed', cause);
    });
  }

  addClass(name: string): Promise<StudioClass> {
    return this.#inTurn(async () => {
      const own = this.#plainName(name);
      const id = nextId(this.#splits.flatMap(({ document }) => document.categories));
      for (const split of this.#splits) {
        const { document } = split;
        await split.write({ ...document, categories: [...document.categories, { id, name: own }] });
      }
      return { id, name: own };
    });
  }

  renameClass(id: number, name: string): Promise<StudioClass> {
    return this.#inTurn(async () => {
      const own = this.#plainName(name, id);
      if (!this.#classes().some((one) => one.id === id)) throw unknown('class', String(id));
      for (const split of this.#splits) {
        const { document } = split;
        const categories = document.categories.map((one) => (one.id === id ? { ...one, name: own } : one));
        await split.write({ ...document, categories });
      }
      return { id, name: own };
    });
  }

  /** @throws INVALID_ARGUMENT while it has objects */
  removeClass(id: number): Promise<void> {
    return this.#inTurn(async () => {
      const used = this.#splits.flatMap(({ document }) => document.annotations.filter((one) => one.category_id === id));
      if (used.length > 0) {
        throw new RcnnError('INVALID_ARGUMENT', {
          where: 'class',
          problem: 'a class with objects stays',
          found: counted(used.length, 'object'),
          hint: 'Give its objects another class first.',
        });
      }
      for (const split of this.#splits) {
        const { document } = split;
        await split.write({ ...document, categories: document.categories.filter((one) => one.id !== id) });
      }
    });
  }

  /** A name that no other class has. @throws INVALID_ARGUMENT, DUPLICATE_ID */
  #plainName(name: string, id?: number): string {
    const plain = name.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
    if (plain === '' || plain.length > LONGEST_NAME || /\p{Cc}|\p{Bidi_Control}/u.test(plain)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'class',
        problem: 'this cannot be the name of a class',
        found: quoteName(name),
        expected: `1 to ${LONGEST_NAME} characters that can be seen`,
      });
    }
    const twin = this.#classes().find((one) => one.id !== id && one.name.toLowerCase() === plain.toLowerCase());
    if (twin === undefined) return plain;
    throw new RcnnError('DUPLICATE_ID', {
      where: 'class',
      problem: 'there is a class of this name',
      found: quoteName(twin.name),
    });
  }

  #find(key: string): { readonly split: Split; readonly image: RawImage } {
    const [, name, id] = /^(.*):(\d{1,16})$/s.exec(key) ?? [];
    const split = this.#splits.find((one) => one.name === name);
    const image = split?.imageOf(Number(id));
    if (split !== undefined && image !== undefined) return { split, image };
    throw unknown('picture', key);
  }

  /** What a crash between two files left behind: a picture in both, a class in one. */
  async #reconcile(): Promise<void> {
    const [train, val] = this.#splits;
    if (train === undefined || val === undefined || !this.#canSplit()) return;
    const files = new Set(val.document.images.map(({ file_name }) => file_name));
    const twice = train.document.images.filter(({ file_name }) => files.has(file_name));
    if (twice.length > 0) await train.write(twice.reduce((document, { id }) => without(document, id), train.document));
    const { categories } = train.document;
    const known = new Set(categories.map(({ id }) => id));
    const all = [...categories, ...val.document.categories.filter(({ id }) => !known.has(id))];
    for (const split of [train, val]) {
      if (JSON.stringify(split.document.categories) === JSON.stringify(all)) continue;
      await split.write({ ...split.document, categories: all });
    }
  }

  /** One after the other, each on what the files say. */
  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      for (const split of this.#splits) await split.refresh();
      return work();
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function without(document: CocoDocument, imageId: number): CocoDocument {
  return {
    ...document,
    images: document.images.filter(({ id }) => id !== imageId),
    annotations: document.annotations.filter(({ image_id }) => image_id !== imageId),
  };
}

/** Whether an edit would change nothing, but for the numbers of objects that were new to it. */
function isSameEdit(edited: readonly RawAnnotation[], now: readonly RawAnnotation[]): boolean {
  const text = (annotations: readonly RawAnnotation[]): string =>
    JSON.stringify(annotations.map((annotation) => Object.entries({ ...annotation, id: 0 }).sort()));
  return text(edited) === text(now);
}

function unknown(what: string, found: string): RcnnError {
  return new RcnnError('UNKNOWN_ID', {
    where: 'studio',
    problem: `there is no such ${what}`,
    found: quoteName(found),
  });
}
