import type { Proposals } from '../api.ts';

/** A picture for a model, as it goes to the process that computes. */
export interface Question {
  readonly id: number;
  /** Run folder, file, name or address. */
  readonly weights: string;
  /** An image file. */
  readonly bytes: Uint8Array;
  /** Turn it as its EXIF data say: so for a photograph from elsewhere, not for one of the dataset. */
  readonly turn: boolean;
}

export interface Answer {
  readonly id: number;
  readonly proposals?: Proposals;
  readonly error?: { readonly code: string; readonly message: string };
}
