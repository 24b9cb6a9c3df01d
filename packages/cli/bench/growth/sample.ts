/** What work of one size took. */
export interface Sample {
  readonly seconds: number;
  /** Seconds of the processor, all threads together. */
  readonly cpu: number;
  /** Of the process that did it and nothing else. */
  readonly peakBytes: number;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
