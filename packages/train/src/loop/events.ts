import type { StepResult } from '@rcnn/optim';

/** What an evaluation found: `segm/AP`, `bbox/AP50`, `loss/val`, …, each a number. -1 stands for "nothing to measure". */
export type Scores = Readonly<Record<string, number>>;

/** What happens during a training, for whoever shows or records it. The library itself prints nothing. */
export type TrainEvent =
  | { readonly kind: 'note' | 'warning'; readonly text: string }
  | { readonly kind: 'start'; readonly step: number; readonly totalSteps: number; readonly stepsPerEpoch: number }
  | ({ readonly kind: 'step' } & StepReport)
  | { readonly kind: 'evaluating'; readonly epoch: number; readonly done: number; readonly of: number }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly step: number;
      readonly scores: Scores;
      readonly best: boolean;
    }
  | { readonly kind: 'saved'; readonly path: string }
  | { readonly kind: 'end'; readonly reason: EndReason; readonly step: number };

/** Why the loop ended: all steps done, no gain for `patience` evaluations, or a signal. */
export type EndReason = 'finished' | 'patience' | 'stopped';

/** One step as it is shown and recorded. */
export interface StepReport extends StepResult {
  /** Steps done, this one included. */
  readonly step: number;
  readonly totalSteps: number;
  /** From 0. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Seconds spent waiting for data, and in all. */
  readonly dataTime: number;
  readonly stepTime: number;
  /** Seconds until the last step, from the last steps and the evaluations between them. */
  readonly eta: number;
  /** Memory in MiB (resident in Node; the JavaScript heap in Chromium; 0 where nothing tells), and tensors alive. */
  readonly memory: number;
  readonly tensors: number;
}

export type Listener = (event: TrainEvent) => void;
