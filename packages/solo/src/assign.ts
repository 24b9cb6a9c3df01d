import type { ImageSize, Target } from '@rcnn/core';
import { cellsAround } from './grid-cells.ts';
import type { GridLevel } from './levels.ts';
import { type Bitmap, centerOfMass } from './mask-targets.ts';

/** What the cells of one level learn of one image. */
export interface LevelTruth {
  /** `[S * S]`, row-major: the label of each cell; 0 is background. */
  readonly labels: Int32Array;
  /** `[P]`: cells that learn a mask. With several masks to a cell one may come more than once. */
  readonly cells: Int32Array;
  /** `[P]`: which object's mask it is. */
  readonly objects: Int32Array;
}

/** An image's objects on the grids, and their masks. */
export interface GridTruth {
  readonly levels: readonly LevelTruth[];
  /** Of every object; those without pixels are in no level. */
  readonly masks: readonly Bitmap[];
}

export interface AssignOptions {
  readonly levels: readonly GridLevel[];
  /** Side of an object's center region as a share of its box. Default 0.2. */
  readonly centerRegion?: number | undefined;
  /**
   * What happens to a cell that two objects claim. Its label is the later one's in any case. `both`: it learns the mask
   * of each (SOLOv2, whose cells make kernels); `last`: that of the later one.
   */
  readonly sharedCells: 'both' | 'last';
}

/**
 * Which cells of which levels answer for the objects of an image: an object lives on every level whose range its size is
 * in, in the cells around its center of mass.
 * @param target in pixels of the batch, with masks
 * @param size of the batch, padding included
 * @see Wang et al. 2019, section 3.3 (arXiv:1912.04488)
 */
export function assignToGrids(
  { boxes, labels, masks = [] }: Target,
  size: ImageSize,
  { levels, centerRegion = 0.2, sharedCells }: AssignOptions,
): GridTruth {
  const bitmaps = masks.map((mask): Bitmap => ({ bits: mask.bitmap(), size: mask.size }));
  const centers = bitmaps.map(centerOfMass);
  const claims = levels.map(({ grid, range }) => {
    const claimed: { cell: number; object: number }[] = [];
    for (const [object, center] of centers.entries()) {
      const [width, height] = sidesOf(boxes, object);
      const extent = Math.fround(Math.sqrt(Math.fround(width * height)));
      if (center === undefined || !(extent >= range[0] && extent <= range[1])) continue;
      const half = [(centerRegion * height) / 2, (centerRegion * width) / 2] as const;
      const { top, bottom, left, right } = cellsAround(center, half, size, grid);
      for (let row = top; row <= bottom; row++)
        for (let column = left; column <= right; column++) claimed.push({ cell: row * grid + column, object });
    }
    return levelTruth(claimed, grid, labels, sharedCells);
  });
  return { levels: claims, masks: bitmaps };
}

function levelTruth(
  claims: readonly { readonly cell: number; readonly object: number }[],
  grid: number,
  labels: Int32Array,
  sharedCells: AssignOptions['sharedCells'],
): LevelTruth {
  const owners = new Int32Array(grid * grid).fill(-1);
  for (const { cell, object } of claims) owners[cell] = object; // a later object takes the cell over
  const kept =
    sharedCells === 'both'
      ? claims
      : [...owners.entries()].filter(([, object]) => object >= 0).map(([cell, object]) => ({ cell, object }));
  return {
    labels: owners.map((object) => (object < 0 ? 0 : labels[object]!)),
    cells: Int32Array.from(kept, ({ cell }) => cell),
    objects: Int32Array.from(kept, ({ object }) => object),
  };
}

function sidesOf(boxes: Float32Array, object: number): [width: number, height: number] {
  const at = object * 4;
  return [Math.fround(boxes[at + 2]! - boxes[at]!), Math.fround(boxes[at + 3]! - boxes[at + 1]!)];
}
