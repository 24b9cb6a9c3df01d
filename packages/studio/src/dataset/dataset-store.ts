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
import { adoptCategories, allCategories, isSameName, requireOneMeaning } from './classes.ts';
import {
  type CocoDocument,
  documentText,
  EMPTY_DOCUMENT,
  nextId,
  type RawAnnotation,
  type RawCategory,
  type RawImage,
} from './coco-document.ts';
import { learnedSplit } from './learned-split.ts';
import { annotationOf } from './objects.ts';
import { openFolder, validationSource } from './open-folder.ts';
import { revisionOf, Split } from './split.ts';
import { twinNotes } from './twins.ts';
import { forgetUnfinished, type Move, noteUnfinished, type Renaming, readUnfinished } from './unfinished.ts';

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
   * Opens a folder, or begins a dataset in it. Files that are there stay as they are, but for a change of the studio's own
   * that a crash has cut in two.
   * @throws LOCKED when another studio works there; DATASET_INVALID where splits contradict each other; and what
   * `openFolder` throws
   */
  static async open(folder: string): Promise<DatasetStore> {
    const { output, splits, notes } = await openFolder(folder);
    const lock = acquireLock(join(folder, 'studio.lock'), 'studio');
    try {
      const store = new DatasetStore(folder, output, splits, notes, lock);
      await store.#inTurn(() => store.#begin());
      return store;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    await this.#finish();
    requireOneMeaning(this.folder, this.#splits);
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
      notes: [...this.#notes, ...twinNotes(this.#splits)],
    }));
  }

  /** Of all splits, each once. */
  #classes(): readonly StudioClass[] {
    return allCategories(this.#splits).map(({ id, name }) => ({ id, name }));
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
      const all = allCategories(this.#splits);
      const used = objects.map(({ classId }) => classId);
      for (const classId of used) if (!all.some(({ id }) => id === classId)) throw unknown('class', String(classId));
      const { categories, idOf } = adoptCategories(document.categories, all, used);
      let next = nextId(document.annotations);
      const edited = objects.map((object): RawAnnotation => {
        const own = object.id === undefined ? undefined : before.get(object.id);
        return annotationOf({ ...object, classId: idOf(object.classId) }, own, image, own?.id ?? next++);
      });
      if (isSameEdit(edited, split.annotationsOf(image.id))) return split.picture(image);
      if (revisionOf(split.annotationsOf(image.id)) !== revision) throw new Conflict(split.picture(image));
      const others = document.annotations.filter(({ image_id }) => image_id !== image.id);
      await split.write({ ...document, categories, annotations: [...others, ...edited] });
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

  /** Takes a picture out: the file and what was known of it go to `removed/`. A file that another record names stays. */
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
      if (path === undefined || this.#isNamed(split.images, image.file_name)) return;
      await rename(path, target).catch((cause: unknown) => {
        throw fileError(path, 'the picture cannot be moved', cause);
      });
    });
  }

  #isNamed(folder: string, file: string): boolean {
    return this.#splits.some((split) => split.images === folder && isIn(split.document, file));
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
      const finished = await this.#finish(); // what went wrong before, perhaps with this very picture
      const { split, image } = this.#find(finished?.was === key ? finished.key : key);
      if (split.name === name) return split.picture(image);
      this.#requireMovable(split, image, name);
      const target = this.#called(name);
      const document = target?.document ?? { ...split.document, images: [], annotations: [] };
      const id = document.images.some((one) => one.id === image.id) ? nextId(document.images) : image.id;
      const arrived = withPicture(document, split, image, id);
      const revision = revisionOf(split.annotationsOf(image.id));
      const move = { picture: image.file_name, from: split.name, id: image.id, to: name, arrived: id, revision };
      // Written where it arrives before it is taken away: a crash in between leaves it twice, and the note says that.
      await noteUnfinished(this.folder, { kind: 'move', ...move });
      if (target !== undefined) await target.write(arrived);
      else this.#splits.push(await Split.create(validationSource(this.folder, split)!, arrived));
      await this.#finish();
      const { split: to, image: moved } = this.#find(`${name}:${id}`);
      return to.picture(moved);
    });
  }

  /** @throws INVALID_ARGUMENT */
  #requireMovable(split: Split, { file_name: file }: RawImage, name: string): void {
    if (!this.#canSplit()) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: this.folder,
        problem: 'pictures of this dataset have a folder for each split; move them there',
      });
    }
    const target = this.#called(name);
    if (target === undefined || !isIn(target.document, file)) return;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: this.folder,
      problem: `the picture is in ${quoteName(name)} already`,
      found: quoteName(file),
      hint: `Take it out of ${quoteName(split.name)}: its file stays.`,
    });
  }

  /** Does what is left to do of a change that was noted and not forgotten. */
  async #finish(): Promise<Moved | undefined> {
    const change = readUnfinished(this.folder);
    if (change === undefined) return undefined;
    const moved = change.kind === 'move' ? await this.#finishMove(change) : await this.#finishRenaming(change);
    await forgetUnfinished(this.folder);
    return moved;
  }

  /**
   * Takes a picture away from where it was, once it has arrived. Where it never did, or somebody has changed its objects
   * since, both files stay as they are.
   */
  async #finishMove({ picture, from, id, to, arrived, revision }: Move): Promise<Moved | undefined> {
    const [split, target] = [this.#called(from), this.#called(to)];
    if (split === undefined || target?.imageOf(arrived)?.file_name !== picture) return undefined;
    const left = split.imageOf(id);
    if (left !== undefined) {
      if (left.file_name !== picture || revisionOf(split.annotationsOf(id)) !== revision) return undefined;
      await split.write(without(split.document, id));
    }
    await this.#dropEmpty();
    return { was: `${from}:${id}`, key: `${to}:${arrived}` };
  }

  async #finishRenaming({ id, was, name }: Renaming): Promise<undefined> {
    const isOld = (one: RawCategory): boolean => one.id === id && one.name !== name && isSameName(one.name, was);
    for (const split of this.#splits) {
      const { categories } = split.document;
      if (!categories.some(isOld)) continue;
      const renamed = categories.map((one) => (isOld(one) ? { ...one, name } : one));
      await split.write({ ...split.document, categories: renamed });
    }
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
      await this.#finish();
      const own = this.#plainName(name, id);
      const was = this.#classes().find((one) => one.id === id)?.name;
      if (was === undefined) throw unknown('class', String(id));
      await noteUnfinished(this.folder, { kind: 'rename', id, was, name: own });
      await this.#finish();
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

/** What a picture was called before it moved, and what it is called now. */
interface Moved {
  readonly was: string;
  readonly key: string;
}

function isIn({ images }: CocoDocument, file: string): boolean {
  return images.some(({ file_name }) => file_name === file);
}

/** A document with a picture of a split, under the number `id`, and its objects. */
function withPicture(document: CocoDocument, split: Split, image: RawImage, id: number): CocoDocument {
  const own = split.annotationsOf(image.id);
  const used = own.map(({ category_id }) => category_id);
  const { categories, idOf } = adoptCategories(document.categories, split.document.categories, used);
  let next = nextId(document.annotations);
  const annotations = own.map((one) => ({
    ...one,
    id: next++,
    image_id: id,
    category_id: idOf(one.category_id),
  }));
  return {
    ...document,
    images: [...document.images, { ...image, id }],
    annotations: [...document.annotations, ...annotations],
    categories,
  };
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
