import { hostTensors, hostValues, type Parameter, tensorsAreOnHost } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Optimizer, Slots, type Update } from './optimizer.ts';

export interface AdamWOptions {
  /** Decay of the mean of gradients and of their squares. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Whether to update in one pass over host memory. Default: where the engine keeps its tensors there. */
  readonly onHost?: boolean;
}

interface HostSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly gradientScale: number;
}

/**
 * Adam with decoupled weight decay, as PyTorch computes it:
 * `p = p (1 - lr wd)`, `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g²`,
 * `p = p - lr / (1 - b1^t) · m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
 * @see Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2
 */
export class AdamW implements Optimizer {
  readonly kind = 'adamw';
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #slots: Slots;
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #onHost: boolean | undefined;
  #updates = 0;

  constructor(parameters: ReadonlyMap<string, Parameter>, options: AdamWOptions = {}) {
    const { betas = [0.9, 0.999], epsilon = 1e-8, onHost } = options;
    this.#parameters = parameters;
    this.#slots = new Slots('AdamW', ['mean', 'square'], parameters);
    this.#betas = betas;
    this.#epsilon = epsilon;
    this.#onHost = onHost;
  }

  update({ gradients, gradientScale = 1, settingsOf }: Update): void {
    this.#updates++;
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined) continue;
      const { learningRate, weightDecay } = settingsOf(name);
      if (this.#onHost ?? tensorsAreOnHost()) {
        this.#updateOnHost(name, parameter, gradient, { learningRate, weightDecay, gradientScale });
        continue;
      }
      tf.tidy(() => {
        const g = gradientScale === 1 ? gradient : tf.mul(gradient, gradientScale);
        const change = tf.mul(this.#direction(name, g), learningRate);
        const kept = weightDecay === 0 ? parameter.value : tf.mul(parameter.value, 1 - learningRate * weightDecay);
        parameter.assign(tf.sub(kept, change));
      });
    }
  }

  /** The same in one pass over memory instead of twelve: where tensors are in reach, an update is all memory. */
  #updateOnHost(name: string, parameter: Parameter, gradient: tf.Tensor, settings: HostSettings): void {
    const { learningRate, weightDecay, gradientScale } = settings;
    const [beta1, beta2] = this.#betas;
    const rate = learningRate / (1 - beta1 ** this.#updates);
    const unbiased = 1 / Math.sqrt(1 - beta2 ** this.#updates);
    const kept = 1 - learningRate * weightDecay;
    const epsilon = this.#epsilon;
    const before = (['mean', 'square'] as const).map((slot) => this.#slots.get(slot, name));
    const [oldMean, oldSquare] = before.map((tensor) => tensor && hostValues(tensor));
    const old = hostValues(parameter.value);
    const g = hostValues(gradient);
    const shape = parameter.shape;
    tf.tidy(() => {
      const [value, mean, square] = hostTensors([shape, shape, shape], ([values, means, squares]) => {
        for (let i = 0; i < g.length; i++) {
          const scaled = g[i]! * gradientScale;
          const m = (oldMean === undefined ? 0 : beta1 * oldMean[i]!) + (1 - beta1) * scaled;
          const v = (oldSquare === undefined ? 0 : beta2 * oldSquare[i]!) + (1 - beta2) * scaled * scaled;
          means![i] = m;
          squares![i] = v;
          values![i] = kept * old[i]! - (rate * m) / (Math.sqrt(v) * unbiased + epsilon);
        }
      });
      this.#slots.set('mean', name, mean!);
      this.#slots.set('square', name, square!);
      parameter.assign(value!);
    });
  }

  /** The step of learning rate 1. */
  #direction(name: string, g: tf.Tensor): tf.Tensor {
    const [beta1, beta2] = this.#betas;
    const mean = this.#average('mean', name, g, beta1);
    const square = this.#average('square', name, tf.square(g), beta2);
    const unbiased1 = 1 - beta1 ** this.#updates;
    const unbiased2 = Math.sqrt(1 - beta2 ** this.#updates);
    const deviation = tf.add(tf.mul(tf.sqrt(square), 1 / unbiased2), this.#epsilon);
    return tf.div(tf.mul(mean, 1 / unbiased1), deviation);
  }

  /** The running average `beta a + (1 - beta) x`, kept in its slot; it starts from zero. */
  #average(slot: string, name: string, x: tf.Tensor, beta: number): tf.Tensor {
    const before = this.#slots.get(slot, name);
    const fresh = tf.mul(x, 1 - beta);
    const average = before === undefined ? fresh : tf.add(tf.mul(before, beta), fresh);
    this.#slots.set(slot, name, average);
    return average;
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
