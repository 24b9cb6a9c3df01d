import type * as tf from '@tensorflow/tfjs-core';
import { RcnnError } from './errors.ts';
import { Parameter } from './parameter.ts';
import type { FeatureSpec, Phase, Pyramid } from './types.ts';

/** Anything that owns parameters. An interface: whoever has these two methods can be part of a model. */
export interface ParameterOwner {
  /** Every parameter by its dotted name, in a fixed order, as in a PyTorch state dict. */
  namedParameters(prefix?: string): Map<string, Parameter>;
  dispose(): void;
}

/** A module that maps one tensor to another. */
export interface Layer<In extends tf.Tensor = tf.Tensor4D, Out extends tf.Tensor = In> extends ParameterOwner {
  forward(x: In, phase?: Phase): Out;
}

/**
 * What a detector needs of a backbone. There is nothing to inherit and nothing to register:
 * any object of this shape that passes `describeBackbone` (of `@rcnn/backbone-resnet/testing`) can be injected.
 */
export interface Backbone extends ParameterOwner {
  /** Channels and stride of each map that `forward` gives, finest first. */
  readonly outputs: readonly FeatureSpec[];
  /** Maps `[N, H, W, 3]` to the levels `[N, ceil(H / stride), ceil(W / stride), channels]`. The caller owns them. */
  forward(images: tf.Tensor4D, phase?: Phase): Pyramid;
}

/**
 * The tree of parameters. A module registers its parameters and children once, in its constructor, under the names
 * that torchvision uses, so that `namedParameters()` reads like its state dict.
 */
export class Module implements ParameterOwner {
  readonly #parts = new Map<string, Parameter | ParameterOwner>();

  /** Registers a part under `name` (dots allowed: `0.weight`) and hands it back. */
  protected register<T extends Parameter | ParameterOwner>(name: string, part: T): T {
    if (this.#parts.has(name)) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: `${this.constructor.name}.register`,
        problem: `the name '${name}' is taken`,
        hint: 'Give every parameter and child of a module a name of its own.',
      });
    }
    this.#parts.set(name, part);
    return part;
  }

  namedParameters(prefix = ''): Map<string, Parameter> {
    const found = new Map<string, Parameter>();
    for (const [name, part] of this.#parts) {
      if (part instanceof Parameter) found.set(prefix + name, part);
      else for (const [key, parameter] of part.namedParameters(`${prefix}${name}.`)) found.set(key, parameter);
    }
    return found;
  }

  dispose(): void {
    for (const part of this.#parts.values()) part.dispose();
  }
}

/** The parameters that an optimiser may change now, by name. */
export function trainableParameters(owner: ParameterOwner): Map<string, Parameter> {
  return new Map([...owner.namedParameters()].filter(([, parameter]) => parameter.trainable));
}

/** Marks every learnable parameter whose name matches as trainable or not; without a pattern, all of them. */
export function setTrainable(owner: ParameterOwner, trainable: boolean, pattern?: RegExp): void {
  for (const [name, parameter] of owner.namedParameters()) {
    if (pattern === undefined || pattern.test(name)) parameter.trainable = trainable;
  }
}

/** How many numbers the learnable parameters hold. */
export function countParameters(owner: ParameterOwner): number {
  let count = 0;
  for (const parameter of owner.namedParameters().values()) if (parameter.learnable) count += parameter.size;
  return count;
}
