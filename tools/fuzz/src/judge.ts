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
  const before = process.memoryUsage.rss();
  const peak = process.resourceUsage().maxRSS;
  const outcome = await attempt(target, bytes);
  const after = process.resourceUsage().maxRSS;
  // The peak of the process is this run's only when it rose.
  if (outcome.end !== 'failed' && after > peak && after * 1024 - before > 10 * bytes.length + ROOM) {
    const taken = Math.round((after * 1024 - before) / 2 ** 20);
    return { end: 'failed', fault: `took ${taken} MiB of memory for ${bytes.length} bytes` };
  }
  return outcome;
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
