/** How a quantity grows: 1 is as what it is measured against, 2 as its square. */
export interface Growth {
  /** The slope of the straight line through all sizes, both on a logarithmic scale. */
  readonly exponent: number;
  /** The same from each size to the next, one fewer than there are sizes: what is constant hides in the first of them. */
  readonly steps: readonly number[];
}

/** Least squares on the logarithms. */
export function growthOf(sizes: readonly number[], values: readonly number[]): Growth {
  const [x, y] = [sizes.map(Math.log), values.map(Math.log)];
  const [middleX, middleY] = [mean(x), mean(y)];
  const above = x.reduce((sum, value, i) => sum + (value - middleX) * (y[i]! - middleY), 0);
  const below = x.reduce((sum, value) => sum + (value - middleX) ** 2, 0);
  const steps = x.slice(1).map((value, i) => (y[i + 1]! - y[i]!) / (value - x[i]!));
  return { exponent: above / below, steps };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
