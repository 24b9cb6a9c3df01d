/** A stack of ResNet-18 blocks with a classifier, and one step of training it by plain gradient descent. */
import * as tf from '@tensorflow/tfjs-core';

export interface Stage {
  readonly channels: number;
  readonly stride: number;
}

interface Block {
  readonly first: tf.Variable;
  readonly second: tf.Variable;
  readonly shortcut: tf.Variable | undefined;
  readonly stride: number;
}

export class BlockStack {
  private readonly blocks: readonly Block[];
  private readonly classifier: tf.Variable;

  constructor(inChannels: number, stages: readonly Stage[], classes: number) {
    let channels = inChannels;
    this.blocks = stages.map(({ channels: out, stride }, i) => {
      const block = {
        first: weight([3, 3, channels, out], 3 * i),
        second: weight([3, 3, out, out], 3 * i + 1),
        shortcut: stride === 1 && channels === out ? undefined : weight([1, 1, channels, out], 3 * i + 2),
        stride,
      };
      channels = out;
      return block;
    });
    this.classifier = weight([channels, classes], 3 * stages.length);
  }

  /** One step on one batch; returns the loss before it. */
  step(images: tf.Tensor4D, labels: tf.Tensor2D, rate: number): number {
    return tf.tidy(() => this.advance(images, labels, rate).dataSync()[0]!);
  }

  /** One step on one batch; returns the loss before it, for engines that cannot be read at once. The caller owns it. */
  advance(images: tf.Tensor4D, labels: tf.Tensor2D, rate: number): tf.Scalar {
    return tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => this.loss(images, labels));
      for (const variable of this.variables()) {
        variable.assign(tf.sub(variable, tf.mul(grads[variable.name]!, rate)));
      }
      return value;
    });
  }

  dispose(): void {
    for (const variable of this.variables()) variable.dispose();
  }

  private loss(images: tf.Tensor4D, labels: tf.Tensor2D): tf.Scalar {
    const features = this.blocks.reduce(forward, images);
    const logits = tf.matMul(tf.mean(features, [1, 2]) as tf.Tensor2D, this.classifier as unknown as tf.Tensor2D);
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), labels), -1))) as tf.Scalar;
  }

  private variables(): tf.Variable[] {
    const weights = this.blocks.flatMap(({ first, second, shortcut }) =>
      shortcut ? [first, second, shortcut] : [first, second],
    );
    return [...weights, this.classifier];
  }
}

function forward(x: tf.Tensor4D, { first, second, shortcut, stride }: Block): tf.Tensor4D {
  const inner = tf.relu(tf.conv2d(x, first as unknown as tf.Tensor4D, stride, 1));
  const outer = tf.conv2d(inner, second as unknown as tf.Tensor4D, 1, 1);
  const skip = shortcut ? tf.conv2d(x, shortcut as unknown as tf.Tensor4D, stride, 'valid') : x;
  return tf.relu(tf.add(outer, skip));
}

function weight(shape: number[], seed: number): tf.Variable {
  const inputs = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / inputs), 'float32', seed + 1)));
}
