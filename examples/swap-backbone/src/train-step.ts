import { SGD, trainingStep } from '@rcnn/optim';
import { BackboneWithFPN, Mask, MaskRCNN, type PixelImage, poolExtra, type Random, type Target } from 'mask-rcnn';
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
): Promise<Readonly<Record<string, number>>> {
  const { image, target } = drawnSquare();
  const optimizer = new SGD(model.namedParameters(), { momentum: 0 });
  const batch = { images: [image], targets: [target] };
  const { losses } = await trainingStep({ model, optimizer }, [batch], { step: 1, learningRate, random });
  return losses;
}
