import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Metric, StudioRun } from '../../src/api.ts';
import { api, runFile } from './api.ts';
import { Chart } from './chart.tsx';
import { type Line, smooth } from './curve.ts';
import { chosenModel } from './model-choice.tsx';
import { act, connection, fail, go } from './state.ts';
import { State, score } from './train.tsx';

interface RunEvent {
  readonly run?: StudioRun;
  readonly metrics?: { readonly from: number; readonly lines: readonly Metric[] };
}

/** One training: how it goes, what it sees, and what can be done with it. */
export function Run({ name }: { readonly name: string }): JSX.Element {
  const run = useSignal<StudioRun | undefined>(undefined);
  const metrics = useSignal<readonly Metric[]>([]);
  useEffect(() => {
    const stream = new EventSource(runFile(name, 'events'));
    stream.addEventListener('message', ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as RunEvent;
      if (event.run !== undefined) run.value = event.run;
      if (event.metrics === undefined) return;
      const { from, lines } = event.metrics;
      metrics.value = [...metrics.value.slice(0, from), ...lines];
    });
    stream.addEventListener('open', () => (connection.value = 'there'));
    // It opens itself again; whether the studio is there at all is asked in the usual way.
    stream.addEventListener('error', () => void api.runs().catch(fail));
    return () => stream.close();
  }, [name]);
  if (run.value === undefined) return <p class="card">Looking for {name} …</p>;
  return <Details run={run.value} metrics={metrics.value} />;
}

interface DetailsProps {
  readonly run: StudioRun;
  readonly metrics: readonly Metric[];
}

function Details({ run, metrics }: DetailsProps): JSX.Element {
  const { name, state, steps, totalSteps, loss, scores, pictures, log, command, arch } = run;
  const isRunning = state === 'running' || state === 'starting';
  const errors = log.filter((line) => line.startsWith('error') || line.startsWith('warning'));
  return (
    <>
      <div class="head">
        <div>
          <h1 class="name">
            <a href="#/train">Train</a> / {name}
          </h1>
          <p class="soft">
            <State run={run} /> {arch}
          </p>
        </div>
        <Actions run={run} />
      </div>
      <section class="card" aria-label="Progress">
        <div class="numbers">
          <Fact title="Step" value={totalSteps === undefined ? String(steps) : `${steps} of ${totalSteps}`} />
          <Fact title="Loss" value={loss?.toFixed(3) ?? '–'} />
          <Fact title="Mask AP" value={score(scores['segm/AP'])} />
          <Fact title="Box AP" value={score(scores['bbox/AP'])} />
        </div>
        {totalSteps === undefined ? null : (
          <progress aria-label="Steps done" value={steps} max={totalSteps} data-running={isRunning} />
        )}
        {errors.map((line) => (
          <p key={line} class={line.startsWith('error') ? 'wrong' : 'soft'}>
            {line}
          </p>
        ))}
      </section>
      {metrics.length > 1 ? <CurvesOf metrics={metrics} /> : null}
      {pictures.length === 0 ? null : (
        <section class="card" aria-labelledby="seen-title">
          <h2 id="seen-title">What it sees and finds</h2>
          <div class="sheets">
            {pictures.map(({ name: file, changed }) => (
              <figure key={file}>
                <a href={runFile(name, `pictures/${file}`)} target="_blank" rel="noreferrer">
                  <img src={`${runFile(name, `pictures/${file}`)}?${changed}`} alt={titleOf(file)} loading="lazy" />
                </a>
                <figcaption class="soft">{titleOf(file)}</figcaption>
              </figure>
            ))}
          </div>
        </section>
      )}
      <details class="card">
        <summary>What the command prints</summary>
        {command === undefined ? null : <pre class="command">{command}</pre>}
        {/* biome-ignore lint/a11y: scrolls by keyboard */}
        <pre tabIndex={0}>{log.join('\n')}</pre>
      </details>
    </>
  );
}

function titleOf(file: string): string {
  const [, batch] = /^train_batch_(\d+)\.png$/.exec(file) ?? [];
  if (batch !== undefined) return `What it learned from in step ${Number(batch) + 1}`;
  if (file === 'validation.png') return 'Truth, and beside it what was found';
  return file.replace(/\.png$/, '').replaceAll('_', ' ');
}

function Fact({ title, value }: { readonly title: string; readonly value: string }): JSX.Element {
  return (
    <div>
      <span class="soft">{title}</span>
      <strong>{value}</strong>
    </div>
  );
}

function Actions({
  run: { name, state, totalSteps, steps, canResume, hasWeights, hasReport },
}: Pick<DetailsProps, 'run'>): JSX.Element {
  const isRunning = state === 'running' || state === 'starting' || state === 'stopping';
  const isDone = totalSteps !== undefined && steps >= totalSteps;
  const more = isDone ? totalSteps * 2 : undefined;
  return (
    <div class="row">
      {isRunning ? (
        <button type="button" class="main" disabled={state === 'stopping'} onClick={() => act(() => api.stopRun(name))}>
          {state === 'stopping' ? 'Saving …' : 'Stop'}
        </button>
      ) : null}
      {!isRunning && canResume ? (
        <button type="button" class="main" onClick={() => act(() => api.resumeRun(name, more))}>
          {isDone ? `Go on to ${more} steps` : 'Resume'}
        </button>
      ) : null}
      {hasWeights ? (
        <>
          <button
            type="button"
            onClick={() => {
              chosenModel.value = `run:${name}`;
              go('#/try');
            }}
          >
            Try it
          </button>
          <a class="button" href={runFile(name, 'weights.safetensors')} download={`${name}.safetensors`}>
            Weights
          </a>
          <a class="button" href={runFile(name, 'model.onnx')} download={`${name}.onnx`}>
            ONNX
          </a>
        </>
      ) : null}
      {hasReport ? (
        <a class="button" href={runFile(name, 'report.html')} target="_blank" rel="noreferrer">
          Report
        </a>
      ) : null}
    </div>
  );
}

const PARTS = ['#2171ff', '#e6550d', '#1a9850', '#c51b8a', '#00a6b4', '#8c4bd9'] as const;

/** The loss and its parts, and the scores where there are any. */
function CurvesOf({ metrics }: Pick<DetailsProps, 'metrics'>): JSX.Element {
  const steps = metrics.filter(({ kind }) => kind === 'step');
  const epochs = metrics.filter(({ kind }) => kind === 'epoch');
  const points = (lines: readonly Metric[], name: string): Line['points'] =>
    lines.flatMap((line) => (typeof line[name] === 'number' ? [[Number(line['step']), line[name]] as const] : []));
  const parts = Object.keys(steps[0] ?? {}).filter((name) => name.startsWith('loss_'));
  const losses = [
    { label: 'loss', color: PARTS[0], faint: true, points: points(steps, 'loss') },
    { label: 'mean', color: PARTS[0], points: smooth(points(steps, 'loss')) },
    ...parts.map((name, i) => ({
      label: name.replace('loss_', ''),
      color: PARTS[(i + 1) % PARTS.length]!,
      points: smooth(points(steps, name)),
    })),
  ];
  const scores = ['segm/AP', 'segm/AP50', 'bbox/AP', 'bbox/AP50']
    .map((name, i) => ({
      label: name.replace('segm', 'mask').replace('bbox', 'box'),
      color: PARTS[i]!,
      points: points(epochs, name).filter(([, value]) => value >= 0),
    }))
    .filter((line) => line.points.length > 0);
  return (
    <div class="charts">
      <section class="card" aria-labelledby="loss-title">
        <h2 id="loss-title">Loss</h2>
        <Chart title="Loss by step" lines={losses} />
      </section>
      {scores.length === 0 ? null : (
        <section class="card" aria-labelledby="scores-title">
          <h2 id="scores-title">On pictures set aside</h2>
          <Chart title="Average precision by step" lines={scores} />
        </section>
      )}
    </div>
  );
}
