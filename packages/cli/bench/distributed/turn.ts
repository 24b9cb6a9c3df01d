/** What one process measured; seconds a step. */
export interface Turn {
  readonly wall: number;
  /** Of all its threads. */
  readonly cpu: number;
  /** For the other process to come. */
  readonly waiting: number;
  /** In bringing gradients together when both are there, and its share of the processor. */
  readonly meeting: number;
  readonly meetingCpu: number;
}

/** What it held at the end. */
export interface Held {
  readonly rank: number;
  readonly tensors: number;
  readonly mebibytes: number;
}
