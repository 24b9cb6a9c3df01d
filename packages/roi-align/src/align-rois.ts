import * as tf from '@tensorflow/tfjs-core';
import { backwardOnHost, forwardOnHost, type Maps } from './align-on-host.ts';
import type { PlacedRoIs, RoIAlignShape } from './placed-rois.ts';

/** RoIAlign of placed RoIs over several maps, with its gradient: `[R, h, w, C]`. */
export function alignRoIs(
  features: readonly tf.Tensor4D[],
  scales: readonly number[],
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): tf.Tensor4D {
  const [images, , , channels] = features[0]!.shape;
  const shapes = features.map((map, i) => ({ height: map.shape[1], width: map.shape[2], scale: scales[i]! }));
  const maps: Maps = { shapes, images, channels };
  const op = tf.customGrad(() => {
    const values = features.map((map) => map.dataSync<'float32'>() as Float32Array);
    const result = forwardOnHost(values, maps, rois, shape);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] =>
      backwardOnHost(dy.dataSync<'float32'>() as Float32Array, maps, rois, shape).map((gradient, i) =>
        tf.tensor4d(gradient, features[i]!.shape),
      );
    return { value: tf.tensor4d(result, [rois.count, shape.height, shape.width, channels]), gradFunc };
  });
  return op(...features) as tf.Tensor4D;
}
