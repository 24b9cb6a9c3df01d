import * as tf from '@tensorflow/tfjs-core';

/**
 * The parts of tfjs' engine that a tape across awaits needs and that its types hide. Everything that leans on them is
 * in this folder; the test of the tape notices if a tfjs release changes them.
 */
export interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  readonly saved: readonly tf.Tensor[];
  /** Takes the gradient of each output (null: none) and gives a thunk for each input. */
  readonly gradient?: (dys: (tf.Tensor | null)[]) => Record<string, () => tf.Tensor>;
}

interface EngineInternals {
  readonly state: {
    activeTape: TapeNode[] | null;
    gradientDepth: number;
    scopeStack: unknown[];
  };
  startTape(): void;
  endTape(): void;
  startScope(name?: string): void;
  endScope(result?: tf.TensorContainer): void;
}

export function engineInternals(): EngineInternals {
  return tf.engine() as unknown as EngineInternals;
}

/** Whether ops are being recorded now. */
export function isRecording(): boolean {
  return engineInternals().state.gradientDepth > 0;
}

/**
 * Runs `body` off the tape: its results are constants to every gradient, and nothing is kept for a backward pass.
 * For frozen stages, and for choices that no gradient flows through.
 */
export function withoutGradients<T>(body: () => T): T {
  const { state } = engineInternals();
  const depth = state.gradientDepth;
  state.gradientDepth = 0;
  try {
    return body();
  } finally {
    state.gradientDepth = depth;
  }
}
