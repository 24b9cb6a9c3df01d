// What a damaged set still says, for the comparison with its repaired copy.
import type { Random } from '@rcnn/core/random';
import type { OriginalSplit } from './original.ts';

/** Regions that an object of the copy may be: what was drawn, and what a damaged record still said. */
export interface Allowed {
  readonly className: string | undefined;
  readonly bits: Uint8Array;
}

export interface Damaged {
  readonly split: OriginalSplit;
  /** How many objects and images its file names. */
  readonly objects: number;
  readonly images: number;
  /** Of records that were changed in their place, by file. */
  readonly said: (file: string, size: readonly [number, number]) => readonly Allowed[];
  readonly classesTouched: boolean;
  /** Objects per file, by the damaged annotations. */
  readonly perFile: ReadonlyMap<string, number>;
  /** Where objects stand inside a record or file of their image: every one of them, and what it stands in. */
  readonly places?: readonly DamagedPlace[];
  /** The same for the images. */
  readonly containers?: readonly string[];
}

export interface DamagedPlace {
  readonly place: string;
  /** Which object a part belongs to, where several places are parts of one. Default: each is an object. */
  readonly object?: string;
  readonly container: string;
}

export type Plant = (
  folder: string,
  splits: readonly OriginalSplit[],
  random: Random,
  faults?: readonly string[],
) => Promise<{ damaged: readonly Damaged[]; story: readonly string[] }>;
