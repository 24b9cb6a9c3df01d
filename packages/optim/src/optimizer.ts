import type { Parameter } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';

/** What an update needs to know about one parameter. */
export interface UpdateSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** One update of many parameters. */
export interface Update {
  /** Gradients by parameter name; parameters without one stay as they are. The caller keeps them. */
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
  /** Every gradient is multiplied by it first: averages accumulated gradients and clips. Default 1. */
  readonly gradientScale?: number;
  settingsOf(name: string): UpdateSettings;
}

/** Changes parameters by their gradients. Its state can be taken out, saved and put back, bit for bit. */
export interface Optimizer {
  readonly kind: string;
  update(update: Update): void;
  /** The kept tensors by name (`momentum.backbone.…`). They stay the optimizer's own. */
  tensors(): Map<string, tf.Tensor>;
  /** Counts of the state, whole numbers from 0 (`updates`); always the same names. JSON-safe. */
  counters(): Record<string, number>;
  /** Takes over a saved state. The caller keeps the tensors. @throws CHECKPOINT_MISMATCH */
  restore(tensors: ReadonlyMap<string, tf.Tensor>, counters: Readonly<Record<string, number>>): void;
  dispose(): void;
}

/** Tensors that an optimizer keeps for each parameter, made as zeros when first asked for. */
export class Slots {
  readonly #kind: string;
  readonly #names: readonly string[];
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #tensors = new Map<string, tf.Tensor>();

  /** @param names the slots of every parameter, `momentum` */
  constructor(kind: string, names: readonly string[], parameters: ReadonlyMap<string, Parameter>) {
    this.#kind = kind;
    this.#names = names;
    this.#parameters = parameters;
  }

  get(slot: string, name: string): tf.Tensor | undefined {
    return this.#tensors.get(`${slot}.${name}`);
  }

  /** Keeps `value` beyond the current tidy and frees what was there. */
  set(slot: string, name: string, value: tf.Tensor): void {
    const key = `${slot}.${name}`;
    this.#tensors.get(key)?.dispose();
    this.#tensors.set(key, tf.keep(value));
  }

  tensors(): Map<string, tf.Tensor> {
    return new Map(this.#tensors);
  }

  restore(saved: ReadonlyMap<string, tf.Tensor>): void {
    const unknown: string[] = [];
    for (const [key, tensor] of saved) {
      const at = key.indexOf('.');
      const parameter = this.#parameters.get(key.slice(at + 1));
      const fits = this.#names.includes(key.slice(0, at)) && parameter?.shape.join() === tensor.shape.join();
      if (!fits) unknown.push(`${key} [${tensor.shape.join(',')}]`);
    }
    if (unknown.length > 0) {
      throw new RcnnError('CHECKPOINT_MISMATCH', {
        where: `${this.#kind}.restore`,
        problem: 'the saved optimizer does not fit this model',
        found: `${unknown.length} tensors without a parameter of that name and shape, first ${unknown[0]}`,
        hint: 'Resume with the model and the optimizer that wrote the checkpoint.',
      });
    }
    this.dispose();
    for (const [key, tensor] of saved) this.#tensors.set(key, tf.keep(tf.clone(tensor)));
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
