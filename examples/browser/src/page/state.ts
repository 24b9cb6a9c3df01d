import { type Signal, signal } from '@preact/signals';
import { isRcnnError } from '@rcnn/core/errors';
import type { EngineChoice } from '../engine.ts';
import type { ChosenWeights } from '../finder.ts';

// What both parts of the page look at.

export const engine: Signal<EngineChoice> = signal('auto');

/** The weights that find objects: a file of the visitor's, or what was learned in this tab. */
export const weights: Signal<ChosenWeights | undefined> = signal(undefined);

export interface Message {
  readonly text: string;
  readonly wrong: boolean;
}

/** What goes on, and what went wrong. */
export const message: Signal<Message | undefined> = signal(undefined);

export function say(text: string): void {
  message.value = { text, wrong: false };
}

/** Does something that a person asked for; what goes wrong is shown. */
export function act(work: () => Promise<unknown>): void {
  work().catch((error: unknown) => {
    const text = isRcnnError(error) || error instanceof Error ? error.message : String(error);
    message.value = { text, wrong: true };
  });
}
