/** Where the pixels of some maps lie in memory, in elements. */
export interface Grid {
  readonly data: Float32Array;
  readonly start: number;
  readonly image: number;
  readonly row: number;
  readonly column: number;
}

/** From this many channels on, copying a pixel as a whole beats copying its elements. */
const WHOLE_PIXEL = 48;

/** Copies `n` images of `h` x `w` pixels with `c` neighbouring channels from one grid to another. */
export function copyGrid(from: Grid, to: Grid, n: number, h: number, w: number, c: number): void {
  const rowsTouch = from.column === c && to.column === c;
  for (let image = 0; image < n; image++) {
    for (let row = 0; row < h; row++) {
      const source = from.start + image * from.image + row * from.row;
      const target = to.start + image * to.image + row * to.row;
      if (rowsTouch) to.data.set(from.data.subarray(source, source + w * c), target);
      else copyRow(from, to, source, target, w, c);
    }
  }
}

function copyRow(from: Grid, to: Grid, source: number, target: number, w: number, c: number): void {
  for (let column = 0; column < w; column++) {
    if (c >= WHOLE_PIXEL) to.data.set(from.data.subarray(source, source + c), target);
    else for (let i = 0; i < c; i++) to.data[target + i] = from.data[source + i]!;
    source += from.column;
    target += to.column;
  }
}
