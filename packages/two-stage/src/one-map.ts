import { type Backbone, type FeatureSpec, Module, type Phase, type Pyramid } from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';

/** A network without a pyramid, under the name that a pyramid's body has. Child `body`. */
export class OneMap extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  protected readonly body: Backbone;

  constructor(body: Backbone) {
    super();
    this.body = this.register('body', body);
    this.outputs = body.outputs;
  }

  forward(images: tf.Tensor4D, phase?: Phase): Pyramid {
    return this.body.forward(images, phase);
  }
}
