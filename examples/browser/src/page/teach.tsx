import { type Signal, useSignal } from '@preact/signals';
import type { Example, Scores, StepReport } from '@rcnn/train/loop';
import { drawnDetections, drawnTarget } from '@rcnn/visualize';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { openEngine } from '../engine.ts';
import { type OwnPictures, ownPictures } from '../own-pictures.ts';
import { drawnShapes, TabTraining } from '../tab-training.ts';
import { LossCurve } from './curve.ts';
import { Drawn } from './drawn.tsx';
import { takeFiles } from './drops.ts';
import { FileButton } from './file-button.tsx';
import { painted } from './painted.ts';
import { act, engine, message, say, weights } from './state.ts';

/** Steps between two looks at what the model finds. */
const LOOK_EVERY = 25;

interface Settings {
  readonly steps: Signal<number>;
  readonly batchSize: Signal<number>;
  readonly side: Signal<number>;
}

/** A small network that learns in this tab: from pictures of the visitor's, or from shapes that the page draws. */
export function Teach({ isShown }: { readonly isShown: boolean }): JSX.Element {
  const own = useSignal<OwnPictures | undefined>(undefined);
  const settings: Settings = { steps: useSignal(750), batchSize: useSignal(4), side: useSignal(128) };
  const running = useSignal(false);
  const reports = useSignal<readonly StepReport[]>([]);
  const examples = useSignal<readonly Example[]>([]);
  const scores = useSignal<Scores | undefined>(undefined);
  const names = useSignal<ReadonlyMap<number, string>>(new Map());
  const learned = useSignal<Blob | undefined>(undefined);
  const stopping = useRef(false);

  const take = (files: readonly File[]): void =>
    act(async () => {
      say('Reading the annotations …');
      own.value = await ownPictures(files);
      message.value = undefined;
    });
  useEffect(() => (isShown ? takeFiles(take) : undefined), [isShown]);

  const learn = async (): Promise<void> => {
    say('Opening the engine …');
    const { name, device } = await openEngine(engine.peek(), 'train');
    const on =
      name === 'cpu'
        ? 'cpu (plain JavaScript: there is no GPU here, expect tens of seconds a step)'
        : `${name} (${device})`;
    const side = settings.side.peek();
    const data = own.peek() ?? drawnShapes({ train: 600, val: 60 }, side);
    const training = new TabTraining({
      data,
      steps: settings.steps.peek(),
      batchSize: settings.batchSize.peek(),
      side,
    });
    try {
      names.value = new Map(data.train.classes.classes.map(({ label, name: of }) => [label, of]));
      [reports.value, scores.value, learned.value] = [[], undefined, undefined];
      say(`${on} is ready. A first look: it has learned nothing yet …`);
      examples.value = await training.look(4);
      await training.run(
        async (report) => {
          reports.value = [...reports.peek(), report];
          say(describe(report, on));
          if (report.step % LOOK_EVERY === 0) examples.value = await training.look(4);
          await painted();
        },
        () => stopping.current,
      );
      scores.value = await training.evaluate((done, of) => say(`Measuring: picture ${done} of ${of} …`));
      examples.value = await training.look(4);
      learned.value = await training.weights();
      weights.value = { name: 'what was learned in this tab', from: learned.value };
      say(`Done on ${on}. Try it under Find, or save the weights.`);
    } finally {
      training.dispose();
    }
  };
  const start = (): void => {
    [running.value, stopping.current] = [true, false];
    act(() => learn().finally(() => (running.value = false)));
  };
  const stop = (): void => {
    stopping.current = true;
    say('Finishing the step …');
  };

  return (
    <>
      <h1>Teach a small network</h1>
      <section class="card" aria-labelledby="data-title">
        <h2 id="data-title">Pictures to learn from</h2>
        <p class="soft">
          {own.value?.summary ??
            'Shapes that this page draws. Or drop pictures of yours together with one .json of their annotations: COCO, as the studio writes it, or a VIA project.'}
        </p>
        <div class="row">
          <FileButton label="Choose pictures and annotations" accept="image/*,.json" multiple onFiles={take} />
          {own.value === undefined ? null : (
            <button type="button" disabled={running.value} onClick={() => (own.value = undefined)}>
              Take the drawn shapes
            </button>
          )}
        </div>
      </section>
      <form
        class="card row"
        aria-label="Training"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <Count label="Steps" value={settings.steps} from={2} to={100_000} />
        <Count label="Pictures per step" value={settings.batchSize} from={1} to={16} />
        <Count label="Longer side" value={settings.side} from={64} to={640} />
        <button type="submit" class="main" disabled={running.value}>
          Start
        </button>
        <button type="button" disabled={!running.value} onClick={stop}>
          Stop
        </button>
        <SaveButton file={learned.value} />
      </form>
      {reports.value.length === 0 ? null : <Curve reports={reports.value} />}
      {scores.value === undefined ? null : <ScoreTable scores={scores.value} />}
      {examples.value.length === 0 ? null : (
        <section class="card" aria-labelledby="examples-title">
          <h2 id="examples-title">The truth, and beside it what is found</h2>
          <div class="examples">
            {examples.value.map((example, i) => (
              <Pair key={i} example={example} names={names.value} />
            ))}
          </div>
        </section>
      )}
    </>
  );
}

function describe({ step, totalSteps, loss, stepTime, eta }: StepReport, on: string): string {
  const left = `${Math.floor(eta / 60)} min ${Math.round(eta % 60)} s`;
  return `Step ${step} of ${totalSteps} on ${on}: loss ${loss.toFixed(3)}, ${stepTime.toFixed(2)} s a step, ${left} left.`;
}

interface CountProps {
  readonly label: string;
  readonly value: Signal<number>;
  readonly from: number;
  readonly to: number;
}

function Count({ label, value, from, to }: CountProps): JSX.Element {
  return (
    <label>
      {label}
      <input
        type="number"
        required
        min={from}
        max={to}
        value={value.value}
        onInput={({ currentTarget }) => (value.value = currentTarget.valueAsNumber)}
      />
    </label>
  );
}

function SaveButton({ file }: { readonly file: Blob | undefined }): JSX.Element {
  const save = (): void => {
    const url = URL.createObjectURL(file!);
    Object.assign(document.createElement('a'), { href: url, download: 'learned.safetensors' }).click();
    URL.revokeObjectURL(url);
  };
  return (
    <button type="button" disabled={file === undefined} onClick={save}>
      Save the weights
    </button>
  );
}

function Curve({ reports }: { readonly reports: readonly StepReport[] }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const curve = useRef<LossCurve | undefined>(undefined);
  useEffect(() => {
    curve.current = new LossCurve(place.current!);
    return () => curve.current?.destroy();
  }, []);
  useEffect(() => curve.current!.show(reports), [reports]);
  return (
    <section class="card" aria-labelledby="loss-title">
      <h2 id="loss-title">Loss</h2>
      <div ref={place} role="img" aria-label="Loss by step" />
    </section>
  );
}

function ScoreTable({ scores }: { readonly scores: Scores }): JSX.Element {
  return (
    <section class="card" aria-labelledby="scores-title">
      <h2 id="scores-title">COCO's numbers on pictures set aside</h2>
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">AP</th>
            <th scope="col">AP50</th>
            <th scope="col">AP75</th>
          </tr>
        </thead>
        <tbody>
          {(['segm', 'bbox'] as const).map((kind) => (
            <tr key={kind}>
              <th scope="row">{kind === 'segm' ? 'masks' : 'boxes'}</th>
              {['AP', 'AP50', 'AP75'].map((name) => (
                <td key={name}>{Math.max(0, scores[`${kind}/${name}`] ?? 0).toFixed(3)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface PairProps {
  readonly example: Example;
  readonly names: ReadonlyMap<number, string>;
}

function Pair({ example: { image, target, detections }, names }: PairProps): JSX.Element {
  return (
    <div class="pair">
      <Drawn image={image} objects={drawnTarget(target)} names={names} title="What is there" side={320} />
      <Drawn image={image} objects={drawnDetections(detections, 0.5)} names={names} title="What is found" side={320} />
    </div>
  );
}
