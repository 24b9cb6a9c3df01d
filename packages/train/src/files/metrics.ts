import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { readTextSync } from '@rcnn/files';
import { z } from 'zod';
import { onDisk } from './disk.ts';

/** One line of `metrics.jsonl`. Numbers that are unknown are left out. */
export interface MetricsLine {
  readonly kind: 'step' | 'epoch';
  /** Steps done so far, from 1. */
  readonly step: number;
  readonly epoch: number;
  readonly [name: string]: number | string;
}

/** The numbers of a run: `metrics.jsonl` has everything as it happened, `results.csv` one row per epoch. */
export class Metrics {
  readonly #file: string;
  readonly #table: string;
  readonly #lines: MetricsLine[] = [];
  #unread = 0;

  private constructor(folder: string) {
    this.#file = join(folder, 'metrics.jsonl');
    this.#table = join(folder, 'results.csv');
  }

  /** Opens the metrics of a run. What lies after `step` is forgotten: it will be written again by the resumed run. */
  static async open(folder: string, step = 0): Promise<Metrics> {
    const metrics = new Metrics(folder);
    const { lines, unread } = readAll(metrics.#file);
    metrics.#unread = unread;
    metrics.#lines.push(...lines.filter((line) => line.step <= step));
    await atomicWrite(metrics.#file, metrics.#lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return metrics;
  }

  get lines(): readonly MetricsLine[] {
    return this.#lines;
  }

  /** Lines that could not be read when the file was opened, and that it lacks now. */
  get unread(): number {
    return this.#unread;
  }

  /** @throws DISK_FULL, IO_FAILED; the lines so far stay readable */
  async add(line: MetricsLine): Promise<void> {
    this.#lines.push(line);
    onDisk(this.#file, 'cannot be written', () => appendFileSync(this.#file, `${JSON.stringify(line)}\n`));
    if (line.kind === 'epoch') await atomicWrite(this.#table, csvOf(this.#lines));
  }
}

/**
 * The whole lines of a metrics file; what a crash cut, or is no line of ours, is passed over. Empty when there is no
 * file. @throws FILE_REFUSED for a folder or pipe; IO_FAILED
 */
export function readMetrics(file: string): MetricsLine[] {
  return [...readAll(file).lines];
}

function readAll(file: string): { readonly lines: readonly MetricsLine[]; readonly unread: number } {
  const texts = existsSync(file)
    ? readTextSync(file)
        .split('\n')
        .filter((text) => text !== '')
    : [];
  const lines = texts.map(lineOf).filter((line) => line !== undefined);
  return { lines, unread: texts.length - lines.length };
}

const form = z.looseObject({
  kind: z.enum(['step', 'epoch']),
  step: z.number().int().min(0),
  epoch: z.number().int().min(0),
});

/** The line in this text, or nothing. Fields that are no numbers are left out: a NaN is written as null. */
function lineOf(text: string): MetricsLine | undefined {
  try {
    const { data } = form.safeParse(JSON.parse(text));
    if (data === undefined) return undefined;
    const { kind, ...rest } = data;
    const numbers = Object.entries(rest).filter(([, value]) => Number.isFinite(value)) as [string, number][];
    return { kind, ...(Object.fromEntries(numbers) as { step: number; epoch: number }) };
  } catch {
    return undefined;
  }
}

function csvOf(lines: readonly MetricsLine[]): string {
  const epochs = lines.filter(({ kind }) => kind === 'epoch');
  const columns = [...new Set(epochs.flatMap((line) => Object.keys(line)))].filter((name) => name !== 'kind');
  const rows = epochs.map((line) => columns.map((name) => String(line[name] ?? '')).join(','));
  return `${[columns.join(','), ...rows].join('\n')}\n`;
}
