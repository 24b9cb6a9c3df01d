/**
 * The first pair of sides of a closed outline that truly cross, or undefined. Shared corners and sides that only touch
 * are not crossings.
 * @param points flat `x0, y0, x1, y1, …`
 */
export function crossingSides(points: ArrayLike<number>): readonly [first: number, second: number] | undefined {
  const count = points.length / 2;
  for (let i = 0; i + 2 < count; i++) {
    const [ax, ay, bx, by] = [points[2 * i]!, points[2 * i + 1]!, points[2 * i + 2]!, points[2 * i + 3]!];
    const [left, right, top, bottom] = [Math.min(ax, bx), Math.max(ax, bx), Math.min(ay, by), Math.max(ay, by)];
    for (let k = i + 2; k < count; k++) {
      const [cx, cy] = [points[2 * k]!, points[2 * k + 1]!];
      const next = k + 1 === count ? 0 : 2 * k + 2;
      const [dx, dy] = [points[next]!, points[next + 1]!];
      // Most sides are far apart: these comparisons are almost all that is done.
      if ((cx <= left && dx <= left) || (cx >= right && dx >= right)) continue;
      if ((cy < top && dy < top) || (cy > bottom && dy > bottom)) continue;
      const [c, d] = [side(ax, ay, bx, by, cx, cy), side(ax, ay, bx, by, dx, dy)];
      if (c * d < 0 && side(cx, cy, dx, dy, ax, ay) * side(cx, cy, dx, dy, bx, by) < 0) return [i, k];
    }
  }
  return undefined;
}

/** On which side of the line from a to b the point p lies. */
function side(ax: number, ay: number, bx: number, by: number, px: number, py: number): number {
  return (bx - ax) * (py - ay) - (by - ay) * (px - ax);
}
