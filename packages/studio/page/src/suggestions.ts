import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Proposal, StudioPicture } from '../../src/api.ts';
import { api } from './api.ts';
import type { Canvas } from './canvas.ts';
import { fewer } from './outliner.ts';
import { classes, pictures, reload, say } from './state.ts';

/** What a model proposes for a picture, until each is accepted, corrected or rejected. */
export class Suggestions {
  readonly all: Signal<readonly Proposal[]> = signal([]);
  readonly threshold: Signal<number> = signal(0.5);
  readonly busy: Signal<boolean> = signal(false);
  readonly chosen: Signal<Proposal | undefined> = signal(undefined);
  /** Those above the threshold. */
  readonly good: ReadonlySignal<readonly Proposal[]> = computed(() =>
    this.all.value.filter(({ score }) => score >= this.threshold.value),
  );
  readonly #key: string;
  readonly #canvas: Canvas;

  constructor(key: string, canvas: Canvas) {
    this.#key = key;
    this.#canvas = canvas;
  }

  get #picture(): StudioPicture | undefined {
    return pictures.peek().find(({ key }) => key === this.#key);
  }

  async ask(model: string): Promise<void> {
    this.busy.value = true;
    try {
      const { objects, seconds } = await api.propose(this.#key, model);
      const there = this.#picture?.objects ?? [];
      this.all.value = objects.filter(({ box }) => !there.some((object) => overlap(object.box, box) > SAME));
      this.chosen.value = this.good.peek()[0];
      say(`${this.good.peek().length} proposed in ${seconds.toFixed(1)} s.`);
    } finally {
      this.busy.value = false;
    }
  }

  reject(proposal: Proposal): void {
    const at = this.good.peek().indexOf(proposal);
    this.all.value = this.all.peek().filter((one) => one !== proposal);
    this.chosen.value = this.good.peek()[Math.min(at, this.good.peek().length - 1)];
  }

  rejectAll(): void {
    this.all.value = [];
    this.chosen.value = undefined;
  }

  /** Makes it an object; `correct`: one whose corners can be pulled at now. */
  async accept(proposal: Proposal, correct = false): Promise<void> {
    const classId = await classFor(proposal.name);
    const { width = 0, height = 0 } = this.#picture ?? {};
    const polygons = fewer(proposal.polygons, Math.max(0.75, Math.max(width, height) / 700));
    this.reject(proposal);
    if (polygons.length === 0) return say('Its outline is smaller than a pixel.');
    const name = this.#canvas.add({ classId, polygons, box: proposal.box });
    if (correct) this.#canvas.select(name);
  }

  async acceptAll(): Promise<void> {
    for (const proposal of this.good.peek()) await this.accept(proposal);
  }
}

/** Overlap of boxes from which on an object is outlined already. */
const SAME = 0.7;

type Box = Proposal['box'];

function overlap(a: Box, b: Box): number {
  const area = ([x1, y1, x2, y2]: Box): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both / (area(a) + area(b) - both || 1);
}

/** The class of this name; a new one where there is none. */
async function classFor(name: string): Promise<number> {
  const known = classes.peek().find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (known !== undefined) return known.id;
  const { id } = await api.addClass(name);
  await reload();
  return id;
}
