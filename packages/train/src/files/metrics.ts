import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
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

  private constructor(folder: string) {
    this.#file = join(folder, 'metrics.jsonl');
    this.#table = join(folder, 'results.csv');
  }

  /** Opens the metrics of a run. What lies after `step` is forgotten: it will be written again by the resumed run. */
  static async open(folder: string, step = 0): Promise<Metrics> {
    const metrics = new Metrics(folder);
    metrics.#lines.push(...readMetrics(metrics.#file).filter((line) => line.step <= step));
    await atomicWrite(metrics.#file, metrics.#lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return metrics;
  }

  get lines(): readonly MetricsLine[] {
    return this.#lines;
  }

  /** @throws DISK_FULL, IO_FAILED; the lines so far stay readable */
  async add(line: MetricsLine): Promise<void> {
    this.#lines.push(line);
    onDisk(this.#file, 'cannot be written', () => appendFileSync(this.#file, `${JSON.stringify(line)}\n`));
    if (line.kind === 'epoch') await atomicWrite(this.#table, csvOf(this.#lines));
  }
}

/** The whole lines of a metrics file; a last line that a crash cut is passed over. Empty when there is no file. */
export function readMetrics(file: string): MetricsLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as MetricsLine];
      } catch {
        return [];
      }
    });
}

function csvOf(lines: readonly MetricsLine[]): string {
  const epochs = lines.filter(({ kind }) => kind === 'epoch');
  const columns = [...new Set(epochs.flatMap((line) => Object.keys(line)))].filter((name) => name !== 'kind');
  const rows = epochs.map((line) => columns.map((name) => String(line[name] ?? '')).join(','));
  return `${[columns.join(','), ...rows].join('\n')}\n`;
}
