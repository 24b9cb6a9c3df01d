import type { EngineName } from '@rcnn/core';
import { isRcnnError } from '@rcnn/core/errors';
import type { Scores, StepReport } from '@rcnn/train/loop';
import { LossCurve } from './curve.ts';
import { ENGINES, openEngine } from './engine.ts';
import { drawExamples } from './pictures.ts';
import { TabTraining } from './tab-training.ts';

/** An element of the page, of the kind that the page gives it. */
function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`index.html has no ${kind.name} called ${id}`);
}

const status = element('status', HTMLElement);
const controls = {
  form: element('controls', HTMLFormElement),
  engine: element('engine', HTMLSelectElement),
  steps: element('steps', HTMLInputElement),
  batch: element('batch', HTMLInputElement),
  start: element('start', HTMLButtonElement),
  stop: element('stop', HTMLButtonElement),
  save: element('save', HTMLButtonElement),
};

/** Steps between two looks at what the model finds. */
const LOOK_EVERY = 25;

let training: TabTraining | undefined;
let stopping = false;

function say(text: string, wrong = false): void {
  status.textContent = text;
  status.classList.toggle('wrong', wrong);
}

async function learn(): Promise<void> {
  say('Opening the engine …');
  const engine = await openEngine(controls.engine.value as EngineName | 'auto');
  training?.dispose();
  training = new TabTraining({
    steps: controls.steps.valueAsNumber,
    batchSize: controls.batch.valueAsNumber,
    pictures: { train: 600, val: 60 },
  });
  const curve = new LossCurve(element('curve', HTMLElement));
  const place =
    engine.name === 'cpu'
      ? 'cpu (plain JavaScript: there is no GPU here, expect minutes a step)'
      : `${engine.name} (${engine.device})`;
  say(`${place} is ready. A first look: it has learnt nothing yet …`);
  await showExamples(training);
  await training.run(
    async (report) => {
      curve.add(report.step, report.loss);
      say(describe(report, place));
      if (report.step % LOOK_EVERY === 0) await showExamples(training!);
    },
    () => stopping,
  );
  const scores = await training.evaluate((done, of) => say(`Measuring: picture ${done} of ${of} …`));
  await showExamples(training);
  showScores(scores);
  say(`Done on ${place}. The weights that you save run in Node too: mask-rcnn predict --weights FILE.`);
}

function describe({ step, totalSteps, loss, losses, stepTime, eta, tensors }: StepReport, place: string): string {
  const parts = Object.entries(losses).map(([name, value]) => `${name.replace(/^loss_/, '')} ${value.toFixed(3)}`);
  const left = `${Math.floor(eta / 60)} min ${Math.round(eta % 60)} s`;
  return (
    `Step ${step} of ${totalSteps} on ${place}: loss ${loss.toFixed(3)} (${parts.join(', ')}). ` +
    `${stepTime.toFixed(2)} s a step, ${left} left, ${tensors} tensors.`
  );
}

async function showExamples(of: TabTraining): Promise<void> {
  const names = new Map(of.train.classes.classes.map(({ label, name }) => [label, name]));
  const createCanvas = (width: number, height: number): HTMLCanvasElement =>
    Object.assign(document.createElement('canvas'), { width, height });
  element('pictures', HTMLElement).replaceChildren(drawExamples(await of.look(4), names, createCanvas));
}

function showScores(scores: Scores): void {
  const table = element('scores', HTMLTableElement);
  const row = (title: string, kind: string): HTMLTableRowElement => {
    const cells = [title, ...['AP', 'AP50', 'AP75'].map((name) => (scores[`${kind}/${name}`] ?? 0).toFixed(3))];
    const line = document.createElement('tr');
    line.append(...cells.map((text) => Object.assign(document.createElement('td'), { textContent: text })));
    return line;
  };
  table.tBodies[0]!.replaceChildren(row('masks', 'segm'), row('boxes', 'bbox'));
  table.hidden = false;
}

async function saveWeights(): Promise<void> {
  const url = URL.createObjectURL(await training!.weights());
  Object.assign(document.createElement('a'), { href: url, download: 'shapes.safetensors' }).click();
  URL.revokeObjectURL(url);
}

function showError(error: unknown): void {
  say(isRcnnError(error) ? error.message : String(error), true);
}

function setRunning(running: boolean): void {
  controls.start.disabled = running;
  controls.stop.disabled = !running;
  controls.save.disabled = running || training === undefined;
}

controls.engine.append(...ENGINES.map((name) => new Option(name)));
controls.form.addEventListener('submit', (event) => {
  event.preventDefault();
  stopping = false;
  setRunning(true);
  learn()
    .catch(showError)
    .finally(() => setRunning(false));
});
controls.stop.addEventListener('click', () => {
  stopping = true;
  say('Finishing the step …');
});
controls.save.addEventListener('click', () => {
  saveWeights().catch(showError);
});
