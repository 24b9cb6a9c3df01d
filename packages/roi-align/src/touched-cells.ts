import type { MapShape, PlacedRoIs, RoIAlignShape } from './placed-rois.ts';
import { axisSpan } from './taps.ts';

/** Cells are noted in pieces of a row. */
const PIECE = 8;

/**
 * The cells of one map that its RoIs can read: a superset, noted in pieces of a row, so that a map is copied only where
 * it is needed. A hundred boxes leave most of a fine level alone; a thousand proposals touch nearly all of it.
 */
export class TouchedCells {
  readonly #shape: MapShape;
  readonly #piecesPerRow: number;
  readonly #touched: Uint8Array;

  constructor(rois: PlacedRoIs, members: readonly number[], map: MapShape, shape: RoIAlignShape) {
    this.#shape = map;
    this.#piecesPerRow = Math.ceil(map.width / PIECE);
    this.#touched = new Uint8Array(map.height * this.#piecesPerRow);
    for (const r of members) this.#mark(rois.boxes, r * 4, shape);
  }

  /** Runs of touched cells, as half-open ranges of the row-major cell index, ascending. */
  forEachRun(visit: (from: number, to: number) => void): void {
    const { height, width } = this.#shape;
    const pieces = this.#piecesPerRow;
    let start = -1; // runs may cross rows: cells of a map lie one after the other
    let end = -1;
    for (let y = 0; y < height; y++) {
      for (let piece = 0; piece < pieces; piece++) {
        if (this.#touched[y * pieces + piece] === 0) continue;
        const from = y * width + piece * PIECE;
        if (from !== end) {
          if (start >= 0) visit(start, end);
          start = from;
        }
        end = y * width + Math.min((piece + 1) * PIECE, width);
      }
    }
    if (start >= 0) visit(start, end);
  }

  #mark(boxes: Float32Array, p: number, shape: RoIAlignShape): void {
    const { height, width, scale } = this.#shape;
    const [top, bottom] = cellsOf(boxes[p + 1]!, boxes[p + 3]!, scale, shape.height, height, shape);
    const [left, right] = cellsOf(boxes[p]!, boxes[p + 2]!, scale, shape.width, width, shape);
    const first = Math.floor(left / PIECE);
    const last = Math.floor(right / PIECE);
    for (let y = top; y <= bottom; y++) {
      const row = y * this.#piecesPerRow;
      this.#touched.fill(1, row + first, row + last + 1);
    }
  }
}

/** The first and the last cell that a RoI side can read. */
function cellsOf(
  low: number,
  high: number,
  scale: number,
  bins: number,
  extent: number,
  shape: RoIAlignShape,
): [first: number, last: number] {
  const { start, length } = axisSpan(low, high, scale, bins, shape);
  const end = start + length;
  const inside = (cell: number): number => (cell > 0 ? Math.min(cell, extent - 1) : 0); // NaN reads nothing: 0 will do
  return [inside(Math.floor(Math.min(start, end))), inside(Math.ceil(Math.max(start, end)) + 1)];
}
