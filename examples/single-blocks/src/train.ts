import { Random, trainableParameters } from '@rcnn/core';
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
  const variables = [...trainableParameters(detector).values()].map(({ variable }) => variable);
  const optimiser = tf.train.adam(0.003);
  for (let step = 1; step <= steps; step++) {
    const scenes = Array.from({ length: 4 }, () => drawShapes(random));
    const images = tf.tidy(() =>
      tf.stack(scenes.map(({ pixels }) => tf.tensor3d(pixels, [SIDE, SIDE, 3]))),
    ) as tf.Tensor4D;
    const loss = optimiser.minimize(
      () =>
        detector.loss(
          images,
          scenes.map(({ target }) => target),
        ),
      true,
      variables,
    );
    onStep?.(step, (await loss!.data())[0]!);
    tf.dispose([images, loss!]);
  }
  optimiser.dispose();
  return detector;
}
