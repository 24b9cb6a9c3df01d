import uPlot from 'uplot';

/** The loss of every step, and its running mean: single steps jump about. */
export class LossCurve {
  readonly #steps: number[] = [];
  readonly #losses: number[] = [];
  readonly #means: number[] = [];
  readonly #plot: uPlot;

  constructor(place: HTMLElement) {
    place.replaceChildren();
    const options: uPlot.Options = {
      width: Math.max(320, place.clientWidth),
      height: 240,
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- 3 is logarithmic; the enum exists in types only
      scales: { x: { time: false }, y: { distr: 3 } },
      series: [
        { label: 'step' },
        { label: 'loss', stroke: '#b9c4d6', width: 1 },
        { label: 'running mean', stroke: '#2457c5', width: 2 },
      ],
    };
    this.#plot = new uPlot(options, [[], [], []], place);
  }

  add(step: number, loss: number): void {
    const before = this.#means.at(-1) ?? loss;
    this.#steps.push(step);
    this.#losses.push(loss);
    this.#means.push(0.95 * before + 0.05 * loss);
    this.#plot.setData([this.#steps, this.#losses, this.#means]);
  }
}
