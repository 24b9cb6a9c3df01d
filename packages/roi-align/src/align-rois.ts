import * as tf from '@tensorflow/tfjs-core';
import { alignBackward, alignForward } from './host.ts';
import type { MapShape, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';

/** RoIAlign of placed RoIs over several maps, with its gradient: `[R, h, w, C]`. */
export function alignRoIs(
  maps: readonly tf.Tensor4D[],
  scales: readonly number[],
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): tf.Tensor4D {
  const [images, , , channels] = maps[0]!.shape;
  const shapes: MapShape[] = maps.map((map, i) => ({ height: map.shape[1], width: map.shape[2], scale: scales[i]! }));
  const op = tf.customGrad(() => {
    const values = maps.map((map) => map.dataSync<'float32'>());
    const result = alignForward(values, shapes, channels, rois, shape);
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] =>
      alignBackward(dy.dataSync<'float32'>() as Float32Array, shapes, images, channels, rois, shape).map((values, i) =>
        tf.tensor4d(values, maps[i]!.shape),
      );
    return { value: tf.tensor4d(result, [rois.count, shape.height, shape.width, channels]), gradFunc };
  });
  return op(...maps) as tf.Tensor4D;
}
