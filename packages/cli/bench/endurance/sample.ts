/** One reading of a process that trains. Bytes are resident memory. */
export interface Sample {
  readonly step: number;
  readonly tensors: number;
  /** Before a collection. */
  readonly asItWas: number;
  /** After a full one. */
  readonly held: number;
  readonly seconds: number;
}

/** Said instead when the engine cannot be tried. */
export interface Ending {
  readonly missing: string;
}
