import type { TopLevelSpec } from 'vega-lite';
import type { MetricsLine } from '../files/metrics.ts';

/** One curve chart: a title and the vega-lite specification that draws it. */
export interface Chart {
  /** Name of its file. */
  readonly name: string;
  readonly spec: TopLevelSpec;
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly series: string;
}

/** At most this many points per curve: more cannot be seen, and every one is in the file. */
const MOST_POINTS = 400;
const SIZE = { width: 420, height: 220 };

/** The curves that a run has numbers for. */
export function chartsOf(lines: readonly MetricsLine[]): Chart[] {
  const steps = lines.filter(({ kind }) => kind === 'step');
  const epochs = lines.filter(({ kind }) => kind === 'epoch');
  const named = (from: readonly MetricsLine[], pattern: RegExp): string[] => [
    ...new Set(from.flatMap((line) => Object.keys(line).filter((key) => pattern.test(key)))),
  ];
  const perEpoch = (names: readonly string[]): Point[] =>
    names.flatMap((series) =>
      epochs.flatMap((line) => (isShown(line[series]) ? [{ x: line.epoch + 1, y: Number(line[series]), series }] : [])),
    );
  const charts = [
    lineChart('loss', 'Loss by step (smoothed)', 'step', smoothed(steps, ['loss'])),
    lineChart('losses', 'Parts of the loss (smoothed)', 'step', smoothed(steps, named(steps, /^loss_/))),
    lineChart('learning-rate', 'Learning rate', 'step', smoothed(steps, ['learningRate'], 1)),
    lineChart('ap', 'Average precision', 'epoch', perEpoch(named(epochs, /\/(AP|AP50|AP75)$/))),
    lineChart('validation-loss', 'Validation loss', 'epoch', perEpoch(named(epochs, /^loss\/val$/))),
  ];
  return charts.filter((chart) => chart !== undefined);
}

/** Draws a chart as SVG, without a browser. */
export async function renderChart({ spec }: Chart): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function isShown(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value !== -1;
}

/** Running means over a twentieth of the run or so; the curve keeps its shape and loses its noise. */
function smoothed(
  lines: readonly MetricsLine[],
  names: readonly string[],
  window = Math.ceil(lines.length / 40),
): Point[] {
  const stride = Math.max(1, Math.ceil(lines.length / MOST_POINTS));
  return names.flatMap((series) => {
    const values = lines.map((line) => Number(line[series] ?? Number.NaN));
    return lines.flatMap((line, i) => {
      if (i % stride !== 0 && i !== lines.length - 1) return [];
      const near = values.slice(Math.max(0, i - window + 1), i + 1).filter(Number.isFinite);
      if (near.length === 0) return [];
      return [{ x: line.step, y: near.reduce((sum, value) => sum + value, 0) / near.length, series }];
    });
  });
}

function lineChart(name: string, title: string, x: string, points: readonly Point[]): Chart | undefined {
  if (points.length === 0) return undefined;
  const several = new Set(points.map(({ series }) => series)).size > 1;
  const sparse = points.length < 60;
  return {
    name,
    spec: {
      $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
      title,
      ...SIZE,
      data: { values: [...points] },
      mark: { type: 'line', point: sparse, strokeWidth: 2 },
      encoding: {
        x: { field: 'x', type: 'quantitative', title: x, axis: { tickMinStep: 1 } },
        y: { field: 'y', type: 'quantitative', title: null },
        ...(several ? { color: { field: 'series', type: 'nominal', title: null } } : {}),
      },
      config: { font: 'system-ui, sans-serif', background: 'white' },
    },
  };
}
