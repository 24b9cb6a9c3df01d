const { fround } = Math;

/**
 * The cell of a grid in which a place lies, as the references count: `(value / length) // (1 / cells)` in float32, where
 * `1 / cells` is rounded too. So a place exactly on the border of two cells is in the lower one for most grids, which
 * `floor(value * cells / length)` would put into the upper one.
 * @param value in pixels; before 0 the cells are negative
 * @param length of the side of the batch, in pixels, padding included
 */
export function cellOf(value: number, length: number, cells: number): number {
  const place = fround(fround(value) / fround(length));
  const step = fround(1 / cells);
  const rest = place % step; // exact, as of all floats
  let ratio = fround(fround(place - rest) / step);
  if (rest < 0) ratio -= 1;
  const whole = Math.floor(ratio);
  return ratio - whole > 0.5 ? whole + 1 : whole;
}

/** Rows and columns of a grid, both ends belong to it. */
export interface CellRange {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * The cells that answer for an object: those that its center region touches, at most 3x3 around its center of mass.
 * @param center of mass, `[y, x]` in pixels
 * @param half of the center region's sides, `[y, x]` in pixels
 * @param size of the batch
 */
export function cellsAround(
  [y, x]: readonly [y: number, x: number],
  [halfHeight, halfWidth]: readonly [y: number, x: number],
  [height, width]: readonly [height: number, width: number],
  cells: number,
): CellRange {
  const [top, bottom] = around(fround(y), fround(halfHeight), height, cells);
  const [left, right] = around(fround(x), fround(halfWidth), width, cells);
  return { top, bottom, left, right };
}

function around(center: number, half: number, length: number, cells: number): [first: number, last: number] {
  const middle = cellOf(center, length, cells);
  const first = Math.max(cellOf(fround(center - half), length, cells), middle - 1, 0);
  const last = Math.min(cellOf(fround(center + half), length, cells), middle + 1, cells - 1);
  return [first, last];
}
