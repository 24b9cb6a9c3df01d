import type { PixelImage } from '@rcnn/core';
import { type Fixture, relativeError } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';

/** Images at their own size, normalized by torchvision's numbers, zeros right and below up to a multiple of `divisor`. */
export function batchOf(images: readonly PixelImage[], divisor = 1): tf.Tensor4D {
  const [height, width] = [0, 1].map((side) => {
    const largest = Math.max(...images.map((image) => [image.height, image.width][side]!));
    return Math.ceil(largest / divisor) * divisor;
  });
  return tf.tidy(() => {
    const padded = images.map(({ data, ...image }) => {
      const mean = [123.675, 116.28, 103.53];
      const std = [58.395, 57.12, 57.375];
      const normalized = Float32Array.from(data, (value, i) => (value - mean[i % 3]!) / std[i % 3]!);
      const pixels = tf.tensor3d(normalized, [image.height, image.width, 3]);
      return tf.pad(pixels, [[0, height! - image.height], [0, width! - image.width], [0, 0]]); // biome-ignore format: sides
    });
    return tf.stack(padded) as tf.Tensor4D;
  });
}

/** detectron2's name of a parameter of ours. Stages are one higher there, and a pyramid's body is `bottom_up`. */
export function nameOfDetectron2(name: string): string {
  return name
    .replace('backbone.body.conv1', 'backbone.stem.conv1')
    .replace(/backbone\.body\.layer(\d)/, (_, n: string) => `backbone.res${Number(n) + 1}`)
    .replace('.downsample.0.', '.shortcut.')
    .replace('rpn.head.conv.0.0', 'proposal_generator.rpn_head.conv')
    .replace('rpn.head.cls_logits', 'proposal_generator.rpn_head.objectness_logits')
    .replace('rpn.head.bbox_pred', 'proposal_generator.rpn_head.anchor_deltas')
    .replace(/(box_head\.(?:\d\.)?)fc([67])/, (_, head: string, n: string) => `${head}fc${Number(n) - 5}`)
    .replace(/mask_head\.(\d)\.0\./, (_, n: string) => `mask_head.mask_fcn${Number(n) + 1}.`)
    .replace('mask_predictor.conv5_mask', 'mask_head.deconv')
    .replace('mask_predictor.mask_fcn_logits', 'mask_head.predictor');
}

/** The same for a detector with a pyramid. */
export function nameInPyramid(name: string): string {
  return nameOfDetectron2(name)
    .replace(/^backbone\.(stem|res)/, 'backbone.bottom_up.$1')
    .replace(/^backbone\.fpn\.inner_blocks\.(\d)\.0/, (_, n: string) => `backbone.fpn_lateral${Number(n) + 2}`)
    .replace(/^backbone\.fpn\.layer_blocks\.(\d)\.0/, (_, n: string) => `backbone.fpn_output${Number(n) + 2}`);
}

/** How far the norm and the largest value of each gradient are from the stored ones, relative to these. */
export async function normErrors(
  gradients: ReadonlyMap<string, tf.Tensor>,
  fixture: Fixture,
  theirs: (name: string) => string,
): Promise<Record<string, number>> {
  const errors: Record<string, number> = {};
  for (const [name, gradient] of gradients) {
    const [norm, , maximum] = fixture.floats(`grad.stats.${theirs(name)}`) as unknown as [number, number, number];
    if (maximum < 1e-6) continue; // 0 in theory: the reference has rounding there
    const values = (await gradient.data()) as Float32Array;
    errors[name] = relativeError(Math.sqrt(values.reduce((sum, g) => sum + g * g, 0)), norm);
    errors[`${name}, maximum`] = relativeError(
      values.reduce((most, g) => Math.max(most, Math.abs(g)), 0),
      maximum,
    );
  }
  return errors;
}
