import { alignBackward, alignForward } from './align-in-js.ts';
import { alignBackwardInWasm, alignForwardInWasm } from './align-in-wasm.ts';
import type { MapShape, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';

/** What RoIs are read from: `[images, height, width, channels]` per level. */
export interface Maps {
  readonly shapes: readonly MapShape[];
  readonly images: number;
  readonly channels: number;
}

/** RoIAlign on arrays: `values[level]` is `[N * height * width * C]`. Gives `[R * h * w * C]`. */
export function forwardOnHost(
  values: readonly Float32Array[],
  { shapes, images, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Float32Array {
  return (
    alignForwardInWasm(values, shapes, images, channels, rois, shape) ??
    alignForward(values, shapes, channels, rois, shape)
  );
}

/** The gradient of {@link forwardOnHost} by its maps: one array per level. */
export function backwardOnHost(
  gradient: Float32Array,
  { shapes, images, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Float32Array[] {
  return (
    alignBackwardInWasm(gradient, shapes, images, channels, rois, shape) ??
    alignBackward(gradient, shapes, images, channels, rois, shape)
  );
}
