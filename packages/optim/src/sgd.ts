import type { Parameter } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Optimizer, Slots, type Update } from './optimizer.ts';

export interface SGDOptions {
  /** Default 0.9. */
  readonly momentum?: number;
  /** Look ahead along the momentum (Nesterov 1983). Default false. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent with momentum, as PyTorch computes it and as Mask R-CNN was trained:
 * `v = m v + (g + wd p)`, `p = p - lr v`; with Nesterov `p = p - lr ((g + wd p) + m v)`. No dampening.
 */
export class SGD implements Optimizer {
  readonly kind = 'sgd';
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #slots: Slots;
  readonly #momentum: number;
  readonly #nesterov: boolean;

  constructor(parameters: ReadonlyMap<string, Parameter>, { momentum = 0.9, nesterov = false }: SGDOptions = {}) {
    this.#parameters = parameters;
    this.#slots = new Slots('SGD', ['momentum'], parameters);
    this.#momentum = momentum;
    this.#nesterov = nesterov;
  }

  update({ gradients, gradientScale = 1, settingsOf }: Update): void {
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined) continue;
      const { learningRate, weightDecay } = settingsOf(name);
      tf.tidy(() => {
        let g = gradientScale === 1 ? gradient : tf.mul(gradient, gradientScale);
        if (weightDecay !== 0) g = tf.add(g, tf.mul(parameter.value, weightDecay));
        const direction = this.#momentum === 0 ? g : this.#direction(name, g);
        parameter.assign(tf.sub(parameter.value, tf.mul(direction, learningRate)));
      });
    }
  }

  #direction(name: string, g: tf.Tensor): tf.Tensor {
    const before = this.#slots.get('momentum', name);
    const velocity = before === undefined ? tf.clone(g) : tf.add(tf.mul(before, this.#momentum), g);
    this.#slots.set('momentum', name, velocity);
    return this.#nesterov ? tf.add(g, tf.mul(velocity, this.#momentum)) : velocity;
  }

  tensors(): Map<string, tf.Tensor> {
    return this.#slots.tensors();
  }

  counters(): Record<string, number> {
    return {};
  }

  restore(tensors: ReadonlyMap<string, tf.Tensor>, _counters?: Readonly<Record<string, number>>): void {
    this.#slots.restore(tensors);
  }

  dispose(): void {
    this.#slots.dispose();
  }
}
