import {
  type Backbone,
  type FeatureSpec,
  type GraphBuilder,
  type GraphValue,
  Module,
  type Phase,
  type Pyramid,
  type WritableBackbone,
  writable,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { FPN, type FPNOptions } from './fpn.ts';

/**
 * A backbone and the pyramid on top of it, as one backbone. Parameters are under `body` and `fpn`, as in torchvision.
 *
 * ```ts
 * const backbone = new BackboneWithFPN(new ResNet({ depth: 50 }), { extra: poolExtra });
 * ```
 */
export class BackboneWithFPN extends Module implements Backbone {
  readonly body: Backbone;
  readonly fpn: FPN;

  constructor(body: Backbone, options: FPNOptions | FPN = {}) {
    super();
    this.body = this.register('body', body);
    this.fpn = this.register('fpn', options instanceof FPN ? options : new FPN(body.outputs, options));
  }

  get outputs(): readonly FeatureSpec[] {
    return this.fpn.outputs;
  }

  /** Maps `[N, H, W, 3]` to the levels of the pyramid, finest first. The caller owns them. */
  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    return tf.tidy(() => [...this.fpn.forward(this.body.forward(images, phase), phase)]);
  }

  /** The levels of the pyramid, finest first. @throws EXPORT_UNSUPPORTED when the body has no `toGraph` */
  toGraph(graph: GraphBuilder, image: GraphValue): GraphValue[] {
    return this.fpn.toGraph(graph, writable<Backbone, WritableBackbone>(this.body).toGraph(graph, image));
  }
}
