import type { ImageSize } from '@rcnn/core';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import type { AnchorLattice, AnchorSource } from '@rcnn/rpn-anchors';
import type { RecipeOptions } from './recipes.ts';

const STRIDES = [4, 8, 16, 32, 64];
const RATIOS = [0.5, 1, 2]; // height / width

/**
 * The anchors of detectron2 and mmdetection on a pyramid: as torchvision's, but neither rounded to whole pixels nor set
 * by the size of the map: the step is the stride that the level declares.
 */
class DeclaredAnchors implements AnchorSource {
  readonly anchorsPerCell: readonly number[] = STRIDES.map(() => RATIOS.length);
  readonly lattice: AnchorLattice = {
    baseAnchors: STRIDES.map((stride) => anchorsOf([1, 1], stride)),
    steps: STRIDES,
  };

  forward(gridSizes: readonly ImageSize[]): readonly Float32Array[] {
    return gridSizes.map((grid, level) => anchorsOf(grid, STRIDES[level]!));
  }
}

function anchorsOf([rows, columns]: ImageSize, stride: number): Float32Array {
  const anchors = new Float32Array(rows * columns * RATIOS.length * 4);
  let p = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (const ratio of RATIOS) {
        const width = (8 * stride) / Math.sqrt(ratio);
        const [x, y] = [width / 2, (width * ratio) / 2];
        anchors[p++] = column * stride - x;
        anchors[p++] = row * stride - y;
        anchors[p++] = column * stride + x;
        anchors[p++] = row * stride + y;
      }
    }
  }
  return anchors;
}

/** Options of a recipe for weights that were trained in detectron2 or mmdetection, with an FPN. */
export function detectron2Rules(): RecipeOptions {
  const pool = (outputSize: number): MultiScaleRoIAlign =>
    new MultiScaleRoIAlign({ outputSize, strides: STRIDES.slice(0, 4), samplingRatio: 0, aligned: true });
  return { rpnAnchorGenerator: new DeclaredAnchors(), boxRoiPool: pool(7), maskRoiPool: pool(14) };
}
