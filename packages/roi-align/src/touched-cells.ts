import type { CellWindow } from './cell-window.ts';
import type { MapShape } from './placed-rois.ts';

/** Cells are noted in pieces of a row: 8 KB of 256 channels. */
const PIECE = 8;

/** Half-open range of the row-major cell index. */
type VisitRun = (from: number, to: number) => void;

/**
 * The cells of one map that RoIs have read so far, noted in pieces of a row, so that a map is copied only where it is
 * needed and when it is needed: what was just copied is still in the cache when it is read.
 */
export class TouchedCells {
  readonly #map: MapShape;
  readonly #piecesPerRow: number;
  readonly #touched: Uint8Array;

  constructor(map: MapShape) {
    this.#map = map;
    this.#piecesPerRow = Math.ceil(map.width / PIECE);
    this.#touched = new Uint8Array(map.height * this.#piecesPerRow);
  }

  /** Notes the cells of a window, to whole pieces, and visits those that are new. */
  touch({ top, bottom, left: first, right: last }: CellWindow, visitNew: VisitRun): void {
    const { width } = this.#map;
    const left = Math.floor(first / PIECE);
    const right = Math.floor(last / PIECE);
    for (let y = top; y <= bottom; y++) {
      const row = y * this.#piecesPerRow;
      for (let piece = left; piece <= right; piece++) {
        if (this.#touched[row + piece] !== 0) continue;
        const from = piece;
        while (piece <= right && this.#touched[row + piece] === 0) this.#touched[row + piece++] = 1;
        visitNew(y * width + from * PIECE, y * width + Math.min(piece * PIECE, width));
      }
    }
  }

  /** Visits all touched cells in as few runs as there are; a run may cross rows. */
  forEachRun(visit: VisitRun): void {
    const { height, width } = this.#map;
    const pieces = this.#piecesPerRow;
    let start = -1;
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
}
