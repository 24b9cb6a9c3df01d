import { Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { AdamW } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import { TinyBackbone } from './backbone.ts';
import { RetinaNet } from './retina-net.ts';
import { drawShapes, SIDE } from './shapes.ts';

export interface TrainOptions {
  readonly steps: number;
  readonly seed: number;
  readonly onStep?: (step: number, loss: number) => void;
}

/** Trains a fresh detector on images drawn as it goes. The caller disposes it. */
export async function train({ steps, seed, onStep }: TrainOptions): Promise<RetinaNet> {
  const random = new Random(seed);
  const detector = new RetinaNet(new TinyBackbone(random), 2, random);
  const parameters = trainableParameters(detector);
  const optimizer = new AdamW(parameters);
  const settingsOf = () => ({ learningRate: 0.003, weightDecay: 0 });
  for (let step = 1; step <= steps; step++) {
    const scenes = Array.from({ length: 4 }, () => drawShapes(random));
    const images = tf.tidy(() =>
      tf.stack(scenes.map(({ pixels }) => tf.tensor3d(pixels, [SIDE, SIDE, 3]))),
    ) as tf.Tensor4D;
    const targets = scenes.map(({ target }) => target);
    const { loss, gradients } = await valueAndGradients(() => ({ loss: detector.loss(images, targets) }), parameters);
    optimizer.update({ gradients, settingsOf });
    onStep?.(step, (await loss.data())[0]!);
    tf.dispose([images, loss, ...gradients.values()]);
  }
  optimizer.dispose();
  return detector;
}
