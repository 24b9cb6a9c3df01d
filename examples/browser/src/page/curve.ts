import 'uplot/dist/uPlot.min.css';
import type { StepReport } from '@rcnn/train/loop';
import uPlot from 'uplot';

/** The loss of every step, and its running mean: single steps jump about. */
export class LossCurve {
  readonly #place: HTMLElement;
  readonly #watch: ResizeObserver;
  readonly #colors = matchMedia('(prefers-color-scheme: dark)');
  readonly #again = (): void => this.#draw();
  #plot: uPlot | undefined;
  #data: uPlot.AlignedData = [[], [], []];

  constructor(place: HTMLElement) {
    this.#place = place;
    this.#watch = new ResizeObserver(() => this.#plot?.setSize(this.#size()));
    this.#watch.observe(place);
    this.#colors.addEventListener('change', this.#again);
    this.#draw();
  }

  show(reports: readonly StepReport[]): void {
    const means: number[] = [];
    for (const { loss } of reports) means.push(0.95 * (means.at(-1) ?? loss) + 0.05 * loss);
    this.#data = [reports.map(({ step }) => step), reports.map(({ loss }) => loss), means];
    this.#plot?.setData(this.#data);
  }

  destroy(): void {
    this.#watch.disconnect();
    this.#colors.removeEventListener('change', this.#again);
    this.#plot?.destroy();
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(240, this.#place.clientWidth), height: 240 };
  }

  #draw(): void {
    this.#plot?.destroy();
    const dark = this.#colors.matches;
    const grid = { stroke: dark ? '#2b3442' : '#e3e7ee', width: 1 };
    const axis = { stroke: dark ? '#a7b1c2' : '#526070', grid, ticks: grid };
    const options: uPlot.Options = {
      ...this.#size(),
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- 3 is logarithmic; the enum exists in types only
      scales: { x: { time: false }, y: { distr: 3 } },
      axes: [axis, { ...axis, size: 48 }],
      series: [
        { label: 'step' },
        { label: 'loss', stroke: dark ? '#4d6a99' : '#b9c4d6', width: 1, points: { show: true } },
        { label: 'running mean', stroke: dark ? '#7fb0ff' : '#2457c5', width: 2 },
      ],
    };
    this.#plot = new uPlot(options, this.#data, this.#place);
  }
}
