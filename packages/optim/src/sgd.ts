import { hostTensors, hostValues, type Parameter } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { inBlocks, kernelFor, type SGDSettings, type UpdateKernel } from './host-pass.ts';
import { type Optimizer, Slots, type Update } from './optimizer.ts';

export interface SGDOptions {
  /** Default 0.9. */
  readonly momentum?: number;
  /** Whether to update in one pass over host memory. Default: true. Only where the engine keeps its tensors there. */
  readonly onHost?: boolean;
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
  readonly #onHost: boolean | undefined;

  constructor(parameters: ReadonlyMap<string, Parameter>, options: SGDOptions = {}) {
    const { momentum = 0.9, nesterov = false, onHost } = options;
    this.#parameters = parameters;
    this.#slots = new Slots('SGD', ['momentum'], parameters);
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.#onHost = onHost;
  }

  update({ gradients, gradientScale = 1, settingsOf }: Update): void {
    const kernel = (this.#onHost ?? true) ? kernelFor('none') : undefined;
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined) continue;
      const { learningRate, weightDecay } = settingsOf(name);
      if (kernel !== undefined) {
        const nesterov = this.#nesterov ? 1 : 0;
        const settings = [gradientScale, weightDecay, this.#momentum, learningRate, nesterov] as const;
        this.#updateOnHost(kernel, name, parameter, gradient, settings);
        continue;
      }
      tf.tidy(() => {
        let g = gradientScale === 1 ? gradient : tf.mul(gradient, gradientScale);
        if (weightDecay !== 0) g = tf.add(g, tf.mul(parameter.value, weightDecay));
        const direction = this.#momentum === 0 ? g : this.#direction(name, g);
        parameter.assign(tf.sub(parameter.value, tf.mul(direction, learningRate)));
      });
    }
  }

  /** The same in one pass over memory instead of five. */
  #updateOnHost(
    kernel: UpdateKernel,
    name: string,
    parameter: Parameter,
    gradient: tf.Tensor,
    settings: SGDSettings,
  ): void {
    const { shape } = parameter;
    const before = this.#slots.get('momentum', name);
    const keepsVelocity = this.#momentum !== 0;
    tf.tidy(() => {
      const [value, velocity] = hostTensors(keepsVelocity ? [shape, shape] : [shape], ([values, velocities]) => {
        const arrays = [
          { from: hostValues(parameter.value), to: values },
          { from: hostValues(gradient) },
          { from: before && hostValues(before), to: velocities },
        ];
        inBlocks(kernel, arrays, parameter.size, (count, [p, g, v]) => kernel.sgd(count, p!, g!, v!, ...settings));
      });
      if (velocity !== undefined) this.#slots.set('momentum', name, velocity);
      parameter.assign(value!);
    });
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
