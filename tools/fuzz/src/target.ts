import type { Random } from '@rcnn/core/random';

/** A parser, and the good files that damaged ones are made from. */
export interface Target {
  readonly name: string;
  /** Good files; each must be read without an error. */
  readonly seeds: readonly Uint8Array[];
  /** Words that stand in files of this kind, put in at random places. */
  readonly words?: readonly string[];
  /** A file made by rules, right in its outer form, so that it comes further in than damage does. */
  readonly invent?: (random: Random) => Uint8Array;
  /** Share of all runs: fast parsers get more. */
  readonly share: number;
  /**
   * Reads all of a file, and looks at what was read: an error that is no `RcnnError` counts as a crash, wherever it comes
   * from, so what must hold of accepted files is said by throwing one.
   */
  readonly read: (bytes: Uint8Array) => unknown;
}

/** UTF-8 of a text, or of a value as JSON. */
export function bytesOf(content: unknown): Uint8Array {
  return new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
