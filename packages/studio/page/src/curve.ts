import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';

/** One line of a chart: numbers at steps. */
export interface Line {
  readonly label: string;
  readonly color: string;
  readonly points: readonly (readonly [step: number, value: number])[];
  /** Drawn thin and pale: what the smooth line is a mean of. */
  readonly faint?: boolean;
}

/** Curves over the steps of trainings, as wide as their place. */
export class Curves {
  readonly #place: HTMLElement;
  readonly #watch: ResizeObserver;
  readonly #colors = matchMedia('(prefers-color-scheme: dark)');
  readonly #again = (): void => this.show(this.#lines);
  #plot: uPlot | undefined;
  #lines: readonly Line[] = [];
  #shape = '';

  constructor(place: HTMLElement) {
    this.#place = place;
    this.#watch = new ResizeObserver(() => this.#plot?.setSize(this.#size()));
    this.#watch.observe(place);
    this.#colors.addEventListener('change', this.#again);
  }

  show(lines: readonly Line[]): void {
    this.#lines = lines;
    const steps = [...new Set(lines.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => a - b);
    const data = [
      steps,
      ...lines.map(({ points }) => {
        const values = new Map(points);
        return steps.map((step) => values.get(step) ?? null);
      }),
    ] as uPlot.AlignedData;
    const shape = JSON.stringify([lines.map(({ label, color, points }) => [label, color, isShort(points)]), isDark()]);
    if (this.#plot === undefined || shape !== this.#shape) {
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(lines), data, this.#place);
      this.#shape = shape;
    } else this.#plot.setData(data);
  }

  destroy(): void {
    this.#watch.disconnect();
    this.#colors.removeEventListener('change', this.#again);
    this.#plot?.destroy();
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(240, this.#place.clientWidth), height: 260 };
  }

  #options(lines: readonly Line[]): uPlot.Options {
    const stroke = isDark() ? '#a7b1c2' : '#526070';
    const grid = { stroke: isDark() ? '#2b3442' : '#e3e7ee', width: 1 };
    const axis = { stroke, grid, ticks: grid };
    return {
      ...this.#size(),
      scales: {
        x: { time: false },
        y: { range: (_, __, most: number | null) => [0, (most ?? 0) > 0 ? most! * 1.05 : 1] },
      },
      axes: [axis, { ...axis, size: 48 }],
      series: [
        { label: 'step' },
        ...lines.map(({ label, color, points, faint = false }) => ({
          label,
          stroke: faint ? `${color}55` : color,
          width: faint ? 1 : 2,
          spanGaps: true,
          points: { show: isShort(points) },
          value: (_: uPlot, value: number | null) => value?.toFixed(3) ?? '–',
        })),
      ],
    };
  }
}

/** Of so few, each is to be seen: one alone makes no line. */
function isShort(points: Line['points']): boolean {
  return points.length < 12;
}

/** The mean over the last steps: single steps jump about. */
export function smooth(points: Line['points'], share = 0.9): Line['points'] {
  let mean: number | undefined;
  return points.map(([step, value]) => {
    mean = mean === undefined ? value : share * mean + (1 - share) * value;
    return [step, mean] as const;
  });
}

function isDark(): boolean {
  return matchMedia('(prefers-color-scheme: dark)').matches;
}
