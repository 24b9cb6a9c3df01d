import { hostTensors, hostValues, type Parameter } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type AdamWSettings, inBlocks, kernelFor, type UpdateKernel } from './host-pass.ts';
import { type Optimizer, Slots, type Update } from './optimizer.ts';

export interface AdamWOptions {
  /** Decay of the mean of gradients and of their squares. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Whether to update in one pass over host memory. Default: true. Never on a GPU. */
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
    const kernel = (this.#onHost ?? true) ? kernelFor('allowed') : undefined;
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined) continue;
      const { learningRate, weightDecay } = settingsOf(name);
      if (kernel !== undefined) {
        this.#updateOnHost(kernel, name, parameter, gradient, { learningRate, weightDecay, gradientScale });
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

  /** The same in one pass over memory instead of twelve. */
  #updateOnHost(
    kernel: UpdateKernel,
    name: string,
    parameter: Parameter,
    gradient: tf.Tensor,
    settings: HostSettings,
  ): void {
    const { learningRate, weightDecay, gradientScale } = settings;
    const [beta1, beta2] = this.#betas;
    const numbers: AdamWSettings = [
      gradientScale,
      1 - beta1,
      1 - beta2,
      1 - learningRate * weightDecay,
      learningRate / (1 - beta1 ** this.#updates),
      1 / Math.sqrt(1 - beta2 ** this.#updates),
      this.#epsilon,
    ];
    const [oldMean, oldSquare] = (['mean', 'square'] as const).map((slot) => {
      const before = this.#slots.get(slot, name);
      return before && hostValues(before);
    });
    const { shape } = parameter;
    tf.tidy(() => {
      const [value, mean, square] = hostTensors([shape, shape, shape], ([values, means, squares]) => {
        const arrays = [
          { from: hostValues(parameter.value), to: values },
          { from: hostValues(gradient) },
          { from: oldMean, to: means },
          { from: oldSquare, to: squares },
        ];
        inBlocks(kernel, arrays, parameter.size, (count, [p, g, m, v]) => {
          kernel.adamw(count, p!, g!, m!, v!, ...numbers);
        });
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
