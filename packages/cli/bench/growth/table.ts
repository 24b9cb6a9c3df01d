import { type Growth, growthOf } from './fit.ts';
import type { Sample } from './sample.ts';
import type { Series } from './series.ts';

/** A kind of work as it was measured, a sample for each size. */
export interface Measured {
  readonly series: Pick<Series, 'title' | 'against' | 'sizes' | 'says'>;
  readonly samples: readonly Sample[];
}

/** Time is that of the processor: on a machine that does other work too it is the steadier one. */
export function growthsOf({ series, samples }: Measured): { readonly time: Growth; readonly memory: Growth } {
  const of = (value: (sample: Sample) => number): Growth => growthOf(series.sizes, samples.map(value));
  return { time: of(({ cpu }) => cpu), memory: of(({ peakBytes }) => peakBytes) };
}

const TITLES = ['Work', 'Against', 'Processor time', 'Peak memory', 'Exponent of time', 'Exponent of memory'];

/** A line for each size, with how much grew since the line before it, and under them the exponent of all. */
export function asMarkdown(all: readonly Measured[]): string {
  const rows = all.flatMap((measured) => [...rowsOf(measured), fittedRow(measured)]);
  const widths = TITLES.map((title, k) => Math.max(title.length, ...rows.map((row) => row[k]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, k) => cell.padEnd(widths[k]!)).join(' | ')} |`;
  return [line(TITLES), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function rowsOf(measured: Measured): string[][] {
  const { series, samples } = measured;
  const { time, memory } = growthsOf(measured);
  return samples.map(({ cpu, peakBytes }, i) => [
    i === 0 ? series.title : '',
    `${i === 0 ? `${series.against}: ` : ''}${series.says(series.sizes[i]!)}`,
    `${digits(cpu)} s`,
    `${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
    i === 0 ? '' : exponent(time.steps[i - 1]!),
    i === 0 ? '' : exponent(memory.steps[i - 1]!),
  ]);
}

function fittedRow(measured: Measured): string[] {
  const { time, memory } = growthsOf(measured);
  return ['', 'all, fitted', '', '', `**${exponent(time.exponent)}**`, `**${exponent(memory.exponent)}**`];
}

function exponent(value: number): string {
  return (Math.round(100 * value) / 100 + 0).toFixed(2); // never -0.00
}

function digits(seconds: number): string {
  return seconds.toFixed(seconds < 10 ? 2 : 1);
}
