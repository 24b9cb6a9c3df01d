import type { CollectiveBinding } from './binding.ts';
import { taskOf } from './server-def.ts';

/** How long a process may take to say that it is there. */
const ANSWER = 8000; // milliseconds

/** Those of `ranks` whose processes do not answer. That they answer says nothing of what their JavaScript does. */
export async function silent(binding: CollectiveBinding, ranks: readonly number[]): Promise<number[]> {
  const answers = await Promise.allSettled(ranks.map((rank) => binding.checkPeer(taskOf(rank), ANSWER)));
  return ranks.filter((_, i) => answers[i]!.status === 'rejected');
}

/** Pause between two looks. */
const PAUSE = 3000; // milliseconds

/**
 * Looks after the other processes while this one waits for them: TensorFlow notices by itself one that died, not one that
 * froze, nor a machine that is gone, nor, on GPUs, anything at all.
 */
export class Watch {
  readonly #binding: CollectiveBinding;
  readonly #ranks: readonly number[];
  readonly #onGone: (ranks: readonly number[]) => void;
  #timer: NodeJS.Timeout | undefined;
  #watching = false;
  /** Silent at the last look: once may be a busy machine, twice in a row is gone. */
  #suspects: readonly number[] = [];

  constructor(binding: CollectiveBinding, ranks: readonly number[], onGone: (ranks: readonly number[]) => void) {
    this.#binding = binding;
    this.#ranks = ranks;
    this.#onGone = onGone;
  }

  start(): void {
    this.#watching = true;
    this.#suspects = [];
    this.#schedule();
  }

  stop(): void {
    this.#watching = false;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#look(), PAUSE);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const now = await silent(this.#binding, this.#ranks);
    if (!this.#watching) return;
    const gone = now.filter((rank) => this.#suspects.includes(rank));
    this.#suspects = now;
    if (gone.length > 0) this.#onGone(gone);
    else this.#schedule();
  }
}
