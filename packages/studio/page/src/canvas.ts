import { type Signal, signal } from '@preact/signals';
import type { StudioObject } from '../../src/api.ts';
import { colorOf } from './colors.ts';
import { type Drawn, Outliner } from './outliner.ts';
import { save, settled } from './saver.ts';
import { act, check, classes, currentClass, dataset, pictures, say } from './state.ts';

/** One picture that is being worked on: what is drawn, what is chosen, what can be undone. Keeps every change. */
export class Canvas {
  readonly drawn: Signal<readonly Drawn[]> = signal([]);
  readonly selected: Signal<string | undefined> = signal(undefined);
  readonly drawing: Signal<boolean> = signal(false);
  readonly canUndo: Signal<boolean> = signal(false);
  readonly canRedo: Signal<boolean> = signal(false);
  readonly #key: string;
  #outliner: Outliner | undefined;
  #queued = false;

  constructor(key: string) {
    this.#key = key;
  }

  /** Begins on the picture's image, as soon as its size is known: corners are drawn by it. @returns what ends it */
  open(image: HTMLImageElement): () => void {
    let gone = false;
    act(async () => {
      await image.decode().catch(() => undefined); // without a picture there is still something to look at
      await settled(); // edits that are on their way come first
      if (!gone) this.#begin(image);
    });
    return () => {
      gone = true;
      this.#outliner?.destroy();
      this.#outliner = undefined;
      void settled().then(() => check());
    };
  }

  #begin(image: HTMLImageElement): void {
    const outliner = new Outliner(image, colorOf, {
      onChange: () => this.#later(),
      onSelect: (name) => (this.selected.value = name),
      classOfNew: () => currentClass.peek() ?? classes.peek()[0]?.id ?? 0,
    });
    this.#outliner = outliner;
    outliner.load(pictures.peek().find(({ key }) => key === this.#key)!);
    outliner.setDrawing(this.drawing.peek());
    this.#look(outliner);
  }

  /** Some changes come in several steps (an outline, then its class): they are one edit. */
  #later(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (this.#outliner !== undefined) this.#changed(this.#outliner);
    });
  }

  /** Keeps what is on the canvas, and tells new objects their numbers. */
  #changed(outliner: Outliner): void {
    this.#look(outliner);
    const { revision } = pictures.peek().find(({ key }) => key === this.#key)!;
    const names = this.drawn.peek().map(({ name }) => name);
    const edit = { key: this.#key, revision, objects: outliner.objects() };
    save(dataset.peek()!.folder, edit, (saved) => this.#outliner?.number(saved, names));
  }

  #look(outliner: Outliner): void {
    this.drawn.value = outliner.drawn();
    this.canUndo.value = outliner.canUndo;
    this.canRedo.value = outliner.canRedo;
  }

  draw(on: boolean): void {
    if (on && classes.peek().length === 0) {
      say('First, name a class: what will you outline?', { wrong: true });
      document.querySelector<HTMLInputElement>('.classes + form input')?.focus();
      return;
    }
    this.drawing.value = on;
    this.#outliner?.setDrawing(on);
  }

  /** Lets go of what is being drawn, or of what is chosen. */
  letGo(): void {
    if (this.drawing.peek()) this.draw(false);
    else this.select(undefined);
  }

  /** To be pulled at; drawing ends. */
  select(name: string | undefined): void {
    if (name !== undefined) this.draw(false);
    this.#outliner?.select(name);
  }

  /** The class of new outlines, and of the one that is chosen. */
  choose(classId: number): void {
    currentClass.value = classId;
    const name = this.selected.peek();
    if (name !== undefined) this.#outliner?.setClass(name, classId);
  }

  remove(): void {
    const name = this.selected.peek();
    if (name !== undefined) this.#outliner?.remove(name);
    this.selected.value = undefined;
  }

  add(object: StudioObject): string | undefined {
    return this.#outliner?.add(object);
  }

  undo(): void {
    this.#outliner?.undo();
  }

  redo(): void {
    this.#outliner?.redo();
  }
}
