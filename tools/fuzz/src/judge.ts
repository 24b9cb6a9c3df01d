import { isRcnnError } from '@rcnn/core/errors';
import type { Target } from './target.ts';

/** How one run ended. */
export interface Outcome {
  readonly end: 'read' | 'refused' | 'failed';
  /** What was wrong, when it failed. */
  readonly fault?: string;
}

/** What a terminal would act on. A message of ours has several lines at most where we wrote them so. */
const RAW = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Longest message: nobody reads more, and a file of names must not become one. */
const LONGEST = 60_000;

/** Memory that a run may take above ten times its input. */
const ROOM = 256 * 2 ** 20;

/** Runs one file through a parser, and judges the end. */
export async function runOnce(target: Target, bytes: Uint8Array): Promise<Outcome> {
  return new Judge().run(target, bytes);
}

/**
 * Milliseconds within which nobody takes that much memory or work. What a run cost is asked for only where it took longer:
 * the system's answer takes longer than most parsers.
 */
const QUICK = 5;

/** And after so many runs, since each adds a little. */
const EVERY = 256;

/** Judges many runs, and knows what the last one cost. */
export class Judge {
  #usage = process.resourceUsage();
  #resident = process.memoryUsage.rss();
  #runs = 0;
  #work = 0;

  /** Processor time of the last run in microseconds, with that of the quick ones before it; 0 for a quick one. */
  get work(): number {
    return this.#work;
  }

  async run(target: Target, bytes: Uint8Array): Promise<Outcome> {
    const begin = performance.now();
    const outcome = await attempt(target, bytes);
    this.#work = 0;
    const due = ++this.#runs % EVERY === 0;
    if (!due && performance.now() - begin < QUICK) return outcome;
    const before = this.#usage;
    const after = process.resourceUsage();
    this.#usage = after;
    if (!due) this.#work = after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime;
    // The peak of the process is this run's only when it rose.
    const taken = after.maxRSS > before.maxRSS ? after.maxRSS * 1024 - this.#resident : 0;
    this.#resident = process.memoryUsage.rss();
    if (outcome.end === 'failed' || taken <= 10 * bytes.length + ROOM) return outcome;
    const fault = `took ${Math.round(taken / 2 ** 20)} MiB of memory for ${bytes.length} bytes`;
    return { end: 'failed', fault };
  }
}

async function attempt(target: Target, bytes: Uint8Array): Promise<Outcome> {
  try {
    await target.read(bytes);
    return { end: 'read' };
  } catch (error) {
    if (!isRcnnError(error)) return { end: 'failed', fault: `untyped error: ${stackOf(error)}` };
    if (RAW.test(error.message)) return { end: 'failed', fault: `raw characters in ${JSON.stringify(error.message)}` };
    if (error.message.length > LONGEST)
      return { end: 'failed', fault: `a message of ${error.message.length} characters` };
    return { end: 'refused' };
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split('\n').slice(0, 6).join('\n');
}
