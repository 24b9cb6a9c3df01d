/** One entry of `conformance/answers.json`: what to run, and what PyTorch answers in float64. */
export interface ConformanceCase {
  readonly name: string;
  /** A key of the table in `ops.ts`. */
  readonly op: string;
  readonly inputs: readonly ConformanceInput[];
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly output: StoredTensor;
  /** The gradient of `sum(output * dy)` by each float32 input; absent where none is asked for. */
  readonly gradients?: readonly StoredTensor[];
}

/** Numbers spread evenly over `[low, high)`, computed from `name`; or int32 values. */
export type ConformanceInput =
  | { readonly shape: readonly number[]; readonly name: string; readonly low: number; readonly high: number }
  | { readonly shape: readonly number[]; readonly int32: readonly number[] };

export interface StoredTensor {
  readonly shape: readonly number[];
  /** Every `step`-th value is stored; `null` stands for NaN. */
  readonly step: number;
  readonly values: readonly (number | null)[];
  /** The largest magnitude of all values, stored or not: tolerances are relative to it. */
  readonly scale: number;
}
