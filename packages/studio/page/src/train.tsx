import { signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Metric, StudioRun } from '../../src/api.ts';
import { api } from './api.ts';
import { Chart } from './chart.tsx';
import { colorOfName } from './colors.ts';
import { smooth } from './curve.ts';
import { act, dataset, fail, go, models, pictures } from './state.ts';

const runs = signal<readonly StudioRun[]>([]);

/** Milliseconds between two looks at the runs. */
const LOOK = 2000;

export function Train(): JSX.Element {
  const compared = useSignal<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const look = (): void => {
      api.runs().then((found) => (runs.value = found), fail);
    };
    look();
    api.models().then((found) => (models.value = found), fail);
    const timer = setInterval(look, LOOK);
    return () => clearInterval(timer);
  }, []);
  const toggle = (name: string): void => {
    const names = new Set(compared.value);
    if (!names.delete(name)) names.add(name);
    compared.value = names;
  };
  return (
    <>
      <div class="head">
        <h1>Train</h1>
      </div>
      <Begin />
      <section class="card" aria-labelledby="runs-title">
        <h2 id="runs-title">Runs</h2>
        {runs.value.length === 0 ? (
          <p class="soft">None yet.</p>
        ) : (
          // biome-ignore lint/a11y: scrolls by keyboard
          <div class="scroll" tabIndex={0} role="region" aria-labelledby="runs-title">
            <table>
              <thead>
                <tr>
                  <th scope="col">Compare</th>
                  <th scope="col">Run</th>
                  <th scope="col">State</th>
                  <th scope="col">Steps</th>
                  <th scope="col">Loss</th>
                  <th scope="col">Mask AP</th>
                  <th scope="col">Box AP</th>
                </tr>
              </thead>
              <tbody>
                {runs.value.map((run) => (
                  <tr key={run.name}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Compare ${run.name}`}
                        checked={compared.value.has(run.name)}
                        onChange={() => toggle(run.name)}
                      />
                    </td>
                    <td>
                      <a href={`#/run/${run.name}`}>{run.name}</a>
                    </td>
                    <td>
                      <State run={run} />
                    </td>
                    <td>
                      {run.steps}
                      {run.totalSteps === undefined ? '' : ` of ${run.totalSteps}`}
                    </td>
                    <td>{run.loss?.toFixed(3) ?? '–'}</td>
                    <td>{score(run.scores['segm/AP'])}</td>
                    <td>{score(run.scores['bbox/AP'])}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      {compared.value.size > 0 ? <Compared names={[...compared.value]} /> : null}
    </>
  );
}

export function State({ run: { state } }: { readonly run: StudioRun }): JSX.Element {
  return (
    <span class="state" data-state={state}>
      {state}
    </span>
  );
}

/** -1 is COCO's word for nothing to measure. */
export function score(value: number | undefined): string {
  return value === undefined || value < 0 ? '–' : value.toFixed(3);
}

function Begin(): JSX.Element {
  const { learnedSplit, measuredSplit } = dataset.value ?? {};
  const learned = pictures.value.filter(({ objects, split }) => split === learnedSplit && objects.length > 0).length;
  const measured = pictures.value.filter(({ split }) => split === measuredSplit).length;
  const name = useSignal('');
  const from = useSignal('quick');
  const steps = useSignal(300);
  const batch = useSignal(4);
  const rate = useSignal('');
  const taken = new Set(runs.value.map((run) => run.name));
  let free = 1;
  while (taken.has(`train${free}`)) free++;
  const choose = (value: string): void => {
    from.value = value;
    batch.value = value === 'quick' ? 4 : 2; // a large network takes a second or more for each picture
  };
  const begin = async (): Promise<void> => {
    const learningRate = rate.value === '' ? {} : { learningRate: Number(rate.value) };
    const batchSize = Math.min(batch.value, Math.max(1, learned));
    const run = await api.startRun({
      name: name.value || `train${free}`,
      from: from.value,
      steps: steps.value,
      batchSize,
      ...learningRate,
    });
    go(`#/run/${run.name}`);
  };
  return (
    <form
      class="card begin"
      aria-label="A new training"
      onSubmit={(event) => {
        event.preventDefault();
        act(begin);
      }}
    >
      <label>
        Begin from
        <select value={from.value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
          <option value="quick">nothing: a small network, minutes on any machine</option>
          <option value="body">a body that has seen photographs (ResNet-50, downloads 100 MB once): an hour</option>
          {models.value.map(({ key, title }) => (
            <option key={key} value={key}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <label>
        Steps
        <input
          type="number"
          min="1"
          max="1000000"
          value={steps.value}
          onInput={({ currentTarget }) => (steps.value = currentTarget.valueAsNumber)}
        />
      </label>
      <label>
        Pictures per step
        <input
          type="number"
          min="1"
          max="64"
          value={batch.value}
          onInput={({ currentTarget }) => (batch.value = currentTarget.valueAsNumber)}
        />
      </label>
      <label>
        Learning rate
        <input
          type="number"
          step="any"
          min="0"
          max="1"
          placeholder="the recipe's"
          value={rate.value}
          onInput={({ currentTarget }) => (rate.value = currentTarget.value)}
        />
      </label>
      <label>
        Name
        <input
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          maxLength={100}
          placeholder={`train${free}`}
          value={name.value}
          onInput={({ currentTarget }) => (name.value = currentTarget.value)}
        />
      </label>
      <button type="submit" class="main" disabled={learned === 0}>
        Start
      </button>
      <p class="soft advice">{advice(learned, measured, from.value)}</p>
    </form>
  );
}

/** What to expect of so many pictures. */
function advice(learned: number, measured: number, from: string): string {
  if (learned === 0) return 'Nothing to learn from yet: outline an object in a picture first.';
  const many = `${learned} outlined ${learned === 1 ? 'picture' : 'pictures'}.`;
  const hope = from === 'quick' ? hopeFromNothing(learned) : hopeFromMuch(learned, from);
  const measure =
    measured === 0
      ? ' None is set aside to measure on, so there will be no scores: see the menu of a picture.'
      : ` ${measured} set aside to measure on.`;
  return many + hope + measure;
}

function hopeFromNothing(learned: number): string {
  return learned < 80
    ? ' From nothing, a small network learns these pictures by heart and little else; what has seen photographs does better with few pictures.'
    : ' Enough for a small network and simple scenes.';
}

function hopeFromMuch(learned: number, from: string): string {
  if (learned < 8) return ' A beginning; more pictures help most.';
  return from === 'body'
    ? ' Enough for objects that look alike; ask for 300 steps or more.'
    : ' From a trained model, these can be enough for objects that look alike.';
}

function Compared({ names }: { readonly names: readonly string[] }): JSX.Element {
  const metrics = useSignal<ReadonlyMap<string, readonly Metric[]>>(new Map());
  useEffect(() => {
    const ask = async (): Promise<void> => {
      const found = await Promise.all(names.map(async (name) => [name, await api.metrics(name)] as const));
      metrics.value = new Map(found);
    };
    act(ask);
  }, [names.join()]);
  const lines = names.map((name) => {
    const points = (metrics.value.get(name) ?? [])
      .filter(({ kind, loss }) => kind === 'step' && typeof loss === 'number')
      .map(({ step, loss }) => [Number(step), Number(loss)] as const);
    return { label: name, color: colorOfName(name), points: smooth(points) };
  });
  return (
    <section class="card" aria-labelledby="compared-title">
      <h2 id="compared-title">Losses, side by side</h2>
      <Chart title={`Losses of ${names.join(', ')}`} lines={lines} />
    </section>
  );
}
