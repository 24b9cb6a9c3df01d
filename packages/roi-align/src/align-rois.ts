import { hostTensors, hostValues, RcnnError, tensorsAreOnHost } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { alignBackward, alignForward } from './align-in-js.ts';
import { alignBackwardInWasm, alignForwardInWasm } from './align-in-wasm.ts';
import { alignOnDevice } from './align-on-device.ts';
import type { Maps, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';

/**
 * RoIAlign of placed RoIs over several maps, with its gradient: `[R, h, w, C]`.
 * @throws INVALID_ARGUMENT, NON_FINITE
 */
export function alignRoIs(
  features: readonly tf.Tensor4D[],
  scales: readonly number[],
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): tf.Tensor4D {
  check(rois, shape);
  const [images, , , channels] = features[0]!.shape;
  const shapes = features.map((map, i) => ({ height: map.shape[1], width: map.shape[2], scale: scales[i]! }));
  const maps: Maps = { shapes, images, channels };
  const align = tensorsAreOnHost() ? alignOnHost : alignOnDevice;
  return tf.customGrad(() => align(features, maps, rois, shape))(...features) as tf.Tensor4D;
}

/** By the kernel, straight on the engine's memory; in plain JavaScript where it cannot run. */
function alignOnHost(
  features: readonly tf.Tensor4D[],
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): { value: tf.Tensor4D; gradFunc: (dy: tf.Tensor) => tf.Tensor[] } {
  const [value] = hostTensors([[rois.count, shape.height, shape.width, maps.channels]], ([result], zeroed) => {
    alignValues(features.map(hostValues), maps, rois, shape, result!, zeroed);
  });
  const mapShapes = features.map((map) => map.shape);
  const gradFunc = (dy: tf.Tensor): tf.Tensor[] =>
    hostTensors(mapShapes, (results, zeroed) => {
      if (!zeroed) for (const result of results) result.fill(0);
      const gradient = hostValues(dy);
      if (alignBackwardInWasm(gradient, maps, rois, shape, results)) return;
      alignBackward(gradient, maps, rois, shape, results);
    });
  return { value: value as tf.Tensor4D, gradFunc };
}

/** The same of maps that are no tensors: `[R * h * w * C]`, as a new array. @throws INVALID_ARGUMENT, NON_FINITE */
export function alignHostMaps(
  values: readonly Float32Array[],
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Float32Array {
  check(rois, shape);
  const result = new Float32Array(rois.count * shape.height * shape.width * maps.channels);
  alignValues(values, maps, rois, shape, result, true);
  return result;
}

function alignValues(
  values: readonly Float32Array[],
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  result: Float32Array,
  zeroed: boolean,
): void {
  if (alignForwardInWasm(values, maps, rois, shape, result)) return;
  if (!zeroed) result.fill(0);
  alignForward(values, maps, rois, shape, result);
}

function check({ boxes }: PlacedRoIs, { height, width, samplingRatio }: RoIAlignShape): void {
  const whole = [height, width, samplingRatio].every(Number.isInteger);
  if (!whole || height < 1 || width < 1 || samplingRatio < 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'RoIAlign',
      problem: 'the output must be at least one bin high and wide, and the sampling ratio a whole number',
      found: `output ${height} x ${width}, sampling ratio ${samplingRatio}`,
    });
  }
  const wrong = boxes.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    throw new RcnnError('NON_FINITE', {
      where: 'RoIAlign',
      place: `RoI ${Math.floor(wrong / 4)}`,
      problem: 'a box with a coordinate that is no number',
      found: String(boxes[wrong]),
    });
  }
}
