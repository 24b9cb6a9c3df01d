/**
 * The first pair of sides of a closed outline that truly cross, or undefined. Shared corners and sides that only touch
 * are not crossings.
 * @param points flat `x0, y0, x1, y1, …`
 */
export function crossingSides(points: ArrayLike<number>): readonly [first: number, second: number] | undefined {
  const count = points.length / 2;
  const x = (i: number): number => points[2 * (i % count)]!;
  const y = (i: number): number => points[2 * (i % count) + 1]!;
  /** On which side of the line through corners i and i + 1 corner k lies. */
  const side = (i: number, k: number): number => (x(i + 1) - x(i)) * (y(k) - y(i)) - (y(i + 1) - y(i)) * (x(k) - x(i));
  for (let i = 0; i < count; i++) {
    const [left, right] = [Math.min(x(i), x(i + 1)), Math.max(x(i), x(i + 1))];
    for (let k = i + 2; k < count; k++) {
      if (Math.max(x(k), x(k + 1)) <= left || Math.min(x(k), x(k + 1)) >= right) continue;
      if (side(i, k) * side(i, k + 1) < 0 && side(k, i) * side(k, i + 1) < 0) return [i, k];
    }
  }
  return undefined;
}
