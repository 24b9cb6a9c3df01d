import * as tf from '@tensorflow/tfjs-core';
import {
  BackboneWithFPN,
  Mask,
  MaskRCNN,
  type PixelImage,
  poolExtra,
  type Random,
  type Target,
  trainableParameters,
  valueAndGradients,
} from 'mask-rcnn';
import { TinyMobileNet } from './tiny-mobile-net.ts';

/** Mask R-CNN on a backbone that it has never heard of. */
export function buildModel(): MaskRCNN {
  const backbone = new BackboneWithFPN(new TinyMobileNet(), { outChannels: 32, extra: poolExtra });
  return new MaskRCNN(backbone, {
    numClasses: 2,
    minSize: 96,
    maxSize: 128,
    boxBatchSizePerImage: 32,
    rpnPostNmsTopNTrain: 100,
    rpnPostNmsTopNTest: 50,
  });
}

/** A bright square on a dark ground, and where it is. */
export function drawnSquare(): { image: PixelImage; target: Target } {
  const [height, width] = [96, 120] as const;
  const box = [30, 20, 80, 64] as const;
  const data = new Float32Array(height * width * 3).fill(0.2);
  for (let y = box[1]; y < box[3]; y++) data.fill(0.9, (y * width + box[0]) * 3, (y * width + box[2]) * 3);
  const mask = Mask.fromBox([box[0], box[1], box[2] - box[0], box[3] - box[1]], [height, width]);
  return {
    image: { data, height, width, channels: 3 },
    target: { boxes: Float32Array.from(box), labels: Int32Array.of(1), masks: [mask] },
  };
}

/** One step of gradient descent; gives the five losses before it. */
export async function trainStep(
  model: MaskRCNN,
  learningRate: number,
  random: Random,
): Promise<Record<string, number>> {
  const { image, target } = drawnSquare();
  const parameters = trainableParameters(model);
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const losses = await model.losses([image], [target], { random });
    return { loss: tf.addN(Object.values(losses)), extra: losses };
  }, parameters);
  for (const [name, gradient] of gradients) {
    const parameter = parameters.get(name)!;
    tf.tidy(() => parameter.assign(tf.sub(parameter.value, tf.mul(gradient, learningRate))));
  }
  const values: Record<string, number> = {};
  for (const [name, part] of Object.entries(extra)) values[name] = (await part.data())[0]!;
  tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  return values;
}
