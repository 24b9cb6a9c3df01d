import { hostTensors, hostValues, type Parameter } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { inBlocks, kernelFor, type UpdateKernel } from './host-pass.ts';
import { Slots } from './optimizer.ts';

/**
 * An exponential moving average of the weights, often better than the weights themselves (Polyak and Juditsky 1992).
 * Early on it forgets faster: the decay at update t is at most `(1 + t) / (10 + t)`.
 */
export class WeightAverage {
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #slots: Slots;
  readonly #decay: number;
  #updates = 0;

  /** @param parameters everything that a checkpoint holds: running statistics are averaged as well */
  constructor(parameters: ReadonlyMap<string, Parameter>, decay = 0.999) {
    this.#parameters = parameters;
    this.#slots = new Slots('WeightAverage', ['average'], parameters);
    this.#decay = decay;
  }

  update(): void {
    this.#updates++;
    const decay = Math.min(this.#decay, (1 + this.#updates) / (10 + this.#updates));
    const kernel = kernelFor('none');
    for (const [name, { value }] of this.#parameters) {
      tf.tidy(() => {
        const before = this.#slots.get('average', name);
        const average = before === undefined ? tf.clone(value) : approach(before, value, 1 - decay, kernel);
        this.#slots.set('average', name, average);
      });
    }
  }

  /** Runs `body` while the model carries the averaged weights; its own come back afterwards, whatever happens. */
  async swap<T>(body: () => Promise<T>): Promise<T> {
    const own = new Map([...this.#parameters].map(([name, { value }]) => [name, tf.keep(tf.clone(value))]));
    try {
      for (const [name, parameter] of this.#parameters) {
        const average = this.#slots.get('average', name);
        if (average !== undefined) parameter.assign(average);
      }
      return await body();
    } finally {
      for (const [name, value] of own) {
        this.#parameters.get(name)?.assign(value);
        value.dispose();
      }
    }
  }

  tensors(): Map<string, tf.Tensor> {
    return this.#slots.tensors();
  }

  counters(): Record<string, number> {
    return { updates: this.#updates };
  }

  restore(tensors: ReadonlyMap<string, tf.Tensor>, counters: Readonly<Record<string, number>>): void {
    this.#slots.restore(tensors);
    this.#updates = counters.updates ?? 0;
  }

  dispose(): void {
    this.#slots.dispose();
  }
}

/** `before` moved by a share of its distance to `value`. */
function approach(before: tf.Tensor, value: tf.Tensor, share: number, kernel: UpdateKernel | undefined): tf.Tensor {
  if (kernel === undefined) return tf.add(before, tf.mul(tf.sub(value, before), share));
  const [moved] = hostTensors([value.shape], ([values]) => {
    const arrays = [{ from: hostValues(before), to: values }, { from: hostValues(value) }];
    inBlocks(kernel, arrays, value.size, (count, [a, x]) => kernel.approach(count, a!, x!, share));
  });
  return moved!;
}
