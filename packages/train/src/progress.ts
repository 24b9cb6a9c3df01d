import { counted, printable } from '@rcnn/core/errors';
import cliProgress from 'cli-progress';
import type { Listener, Scores, StepReport, TrainEvent } from './loop/events.ts';
import { kindAsAdjective, kindsOf } from './loop/kinds.ts';

export interface ProgressOptions {
  /** `auto`: a bar on a terminal, lines elsewhere. Default `auto`. */
  readonly style?: 'auto' | 'bar' | 'plain' | 'none';
  /** Seconds between two lines. Default 5. */
  readonly every?: number;
  /** Where to write. Default stderr, so that results on stdout stay clean. */
  readonly stream?: NodeJS.WriteStream;
}

/** Shows a training to a person: pass the result as `onEvent`. */
export function consoleProgress({
  style = 'auto',
  every = 5,
  stream = process.stderr,
}: ProgressOptions = {}): Listener {
  if (style === 'none') return () => undefined;
  return style === 'bar' || (style === 'auto' && stream.isTTY) ? barProgress(stream) : plainProgress(stream, every);
}

/** One line every few seconds: nothing that a log file would regret. */
function plainProgress(stream: NodeJS.WriteStream, every: number): Listener {
  const say = (text: string): void => void stream.write(`${printable(text)}\n`);
  let next = 0;
  return (event) => {
    if (event.kind === 'step') {
      const last = event.step === event.totalSteps;
      if (performance.now() < next && !last) return;
      next = performance.now() + every * 1000;
      say(stepLine(event));
    } else if (event.kind === 'evaluating') {
      if (performance.now() < next && event.done < event.of) return;
      next = performance.now() + every * 1000;
      say(`evaluating ${event.done}/${event.of}`);
    } else {
      const text = describe(event);
      if (text !== undefined) say(text);
    }
  };
}

/** A bar that is redrawn in place; what should stay is written above it. */
function barProgress(stream: NodeJS.WriteStream): Listener {
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format: '{label} {bar} {value}/{total}  {details}',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: true,
    },
    cliProgress.Presets.shades_classic,
  );
  let shown: 'training' | 'evaluating' | undefined;
  const show = (label: 'training' | 'evaluating', total: number, value: number, details: string): void => {
    if (shown !== label) {
      if (shown !== undefined) bar.stop();
      bar.start(total, value, { label: label.padEnd(10), details });
      shown = label;
    }
    bar.update(value, { label: label.padEnd(10), details });
  };
  const hide = (): void => {
    if (shown !== undefined) bar.stop();
    shown = undefined;
  };
  return (event) => {
    // Losses are named by the model.
    if (event.kind === 'step') return show('training', event.totalSteps, event.step, printable(stepDetails(event)));
    if (event.kind === 'evaluating') return show('evaluating', event.of, event.done, '');
    const text = describe(event);
    if (text === undefined) return undefined;
    hide();
    stream.write(`${printable(text)}\n`);
    return undefined;
  };
}

function stepLine(report: StepReport): string {
  return `epoch ${report.epoch + 1}  step ${report.step}/${report.totalSteps}  ${stepDetails(report)}`;
}

function stepDetails({ loss, losses, learningRate, stepTime, dataTime, eta, memory, tensors }: StepReport): string {
  const parts = Object.entries(losses).map(([name, value]) => `${name.replace(/^loss_/, '')} ${value.toFixed(3)}`);
  const rate = learningRate < 1e-3 ? learningRate.toExponential(2) : learningRate.toPrecision(3);
  return (
    `loss ${loss.toFixed(3)} (${parts.join(' ')})  lr ${rate}  time ${stepTime.toFixed(2)} s (data ${dataTime.toFixed(2)})  ` +
    `eta ${duration(eta)}  ${Math.round(memory)} MiB, ${counted(tensors, 'tensor')}`
  );
}

function describe(event: TrainEvent): string | undefined {
  switch (event.kind) {
    case 'note':
      return event.text;
    case 'warning':
      return `warning: ${event.text}`;
    case 'epoch':
      return `epoch ${event.epoch + 1} done: ${scoreText(event.scores)}${event.best ? '  (best so far)' : ''}`;
    case 'end':
      return {
        finished: `Finished after ${counted(event.step, 'step')}.`,
        patience: `Stopped after ${counted(event.step, 'step')}: the last evaluations brought nothing better.`,
        stopped: `Stopped after ${counted(event.step, 'step')}; everything is saved.`,
      }[event.reason];
    default:
      return undefined;
  }
}

function scoreText(scores: Scores): string {
  const number = (name: string): string => (scores[name]! < 0 ? '-' : scores[name]!.toFixed(3));
  const shown = kindsOf(scores).map((kind, i) => {
    const precision = `${kindAsAdjective(kind)} AP ${number(`${kind}/AP`)}`;
    return i === 0 ? `${precision}  AP50 ${number(`${kind}/AP50`)}` : precision;
  });
  const loss = scores['loss/val'] === undefined ? [] : [`validation loss ${number('loss/val')}`];
  return [...shown, ...loss].join('  ');
}

/** `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}
