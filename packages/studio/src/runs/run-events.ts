import type { Metric, StudioRun } from '../api.ts';
import type { Runs } from './runs.ts';

/** What a page that watches a run is told: new lines of its numbers, and how it stands where that has changed. */
export interface RunEvent {
  readonly run?: StudioRun;
  /** Lines from `from` on; those that the page has after it are void, for a resumed run writes them again. */
  readonly metrics?: { readonly from: number; readonly lines: readonly Metric[] };
}

/** Milliseconds between two looks at the files. */
const LOOK = 400;

/** Follows a run through its files until nobody listens: whoever trains in the folder is seen. */
export async function* runEvents(runs: Runs, name: string, signal: AbortSignal): AsyncGenerator<RunEvent> {
  let shown = '';
  let sent: readonly string[] = [];
  while (!signal.aborted) {
    const run = runs.get(name);
    const text = JSON.stringify({ ...run, changed: 0 });
    if (text !== shown) yield { run };
    shown = text;
    const lines = runs.metrics(name) as readonly Metric[];
    const texts = lines.map((line) => JSON.stringify(line));
    const from = firstDifference(sent, texts);
    if (from < texts.length || from < sent.length) yield { metrics: { from, lines: lines.slice(from) } };
    sent = texts;
    await pause(LOOK, signal);
  }
}

function firstDifference(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((text, i) => text !== b[i]);
  return at < 0 ? a.length : at;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
