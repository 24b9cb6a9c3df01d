/**
 * Keeps a cell's score where none of its upper, left and upper left neighbours is higher, else makes it 0: one object
 * lights up several cells. Equal neighbours both stay.
 * @param scores `[S, S, K]`, above 0
 */
export function pointsNms(scores: Float32Array, grid: number): Float32Array {
  const classes = scores.length / (grid * grid);
  const kept = new Float32Array(scores.length);
  for (let row = 0, at = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      for (let k = 0; k < classes; k++, at++) {
        const score = scores[at]!;
        const above = at - grid * classes;
        const left = at - classes;
        if (row > 0 && scores[above]! > score) continue;
        if (column > 0 && scores[left]! > score) continue;
        if (row > 0 && column > 0 && scores[above - classes]! > score) continue;
        kept[at] = score;
      }
    }
  }
  return kept;
}
