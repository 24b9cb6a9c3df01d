import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import type { RecipeOptions } from './recipes.ts';

const STRIDES = [4, 8, 16, 32, 64];

/**
 * Options of a recipe for weights that were trained in detectron2 or mmdetection, with an FPN: anchors are neither
 * rounded to whole pixels nor set by the size of the map, regions are read half a pixel earlier and adaptively.
 * @param anchorSizes sides of the anchors on each level, finest first, in pixels. Default 32 to 512
 */
export function detectron2Rules(anchorSizes: readonly number[] = STRIDES.map((stride) => 8 * stride)): RecipeOptions {
  const sizes = anchorSizes.map((size) => [size]);
  const pool = (outputSize: number): MultiScaleRoIAlign =>
    new MultiScaleRoIAlign({ outputSize, strides: STRIDES.slice(0, 4), samplingRatio: 0, aligned: true });
  return {
    rpnAnchorGenerator: new AnchorGenerator({ sizes, rounded: false, strides: STRIDES }),
    boxRoiPool: pool(7),
    maskRoiPool: pool(14),
  };
}
