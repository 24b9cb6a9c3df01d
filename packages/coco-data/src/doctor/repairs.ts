import { counted } from '@rcnn/core/errors';

/** One thing that was done for the copy. */
export interface Repair {
  readonly split: string;
  readonly action:
    | 'left out file'
    | 'left out image'
    | 'left out annotation'
    | 'left out category'
    | 'left out mask'
    | 'left out polygon part'
    | 'left out field'
    | 'mended field'
    | 'wrapped polygon'
    | 'corrected size'
    | 'turned image upright'
    | 'renamed image'
    | 'matched id'
    | 'made box anew from mask'
    | 'read box as corners'
    | 'read as fractions'
    | 'clipped box'
    | 'made area anew from mask'
    | 'renumbered annotation'
    | 'renumbered category';
  /** Annotation file or folder in which the record stood. */
  readonly source: string;
  /** Where the record stood in it. */
  readonly place: string;
  readonly what: string;
}

export type Did = (action: Repair['action'], place: string, what: string) => void;

/** Images and objects of the original and of the copy, and what is missing between them. */
export interface RepairAccount {
  readonly images: Tally;
  readonly objects: Tally;
  /** Objects whose mask could not be used; their boxes are in the copy. */
  readonly masksLeftOut: number;
  /** Annotation files that could not be read; how many objects they have is not known. */
  readonly filesLeftOut: number;
  /** Images that had objects and have none in the copy, by their file, or are not in it. */
  readonly emptiedImages: number;
  /** More than a tenth of the objects, all objects of an image, or a file of annotations is missing in the copy. */
  readonly isLossy: boolean;
}

export interface Tally {
  readonly original: number;
  readonly copy: number;
  readonly leftOut: number;
}

/** Above this share of lost objects a copy is another dataset. */
const MAX_LOSS = 0.1;

export function accountOf(facts: Omit<RepairAccount, 'isLossy'>): RepairAccount {
  const { objects, emptiedImages, filesLeftOut } = facts;
  const isLossy = objects.leftOut > MAX_LOSS * objects.original || emptiedImages > 0 || filesLeftOut > 0;
  return { ...facts, isLossy };
}

/** The account in a sentence, for the last line. */
export function accountText({
  objects,
  images,
  masksLeftOut,
  emptiedImages,
  filesLeftOut,
  isLossy,
}: RepairAccount): string {
  // An image that is gone took at least one object with it: where fewer are counted, nobody could read how many it had.
  const known = emptiedImages > objects.leftOut ? ' that could be counted' : '';
  const counts = [
    `${objects.leftOut} of ${counted(objects.original, 'object')}${known}`,
    `${images.leftOut} of ${counted(images.original, 'image')}`,
    ...(masksLeftOut > 0 ? [`the masks of ${counted(masksLeftOut, 'object')}`] : []),
    ...(filesLeftOut > 0 ? [counted(filesLeftOut, 'annotation file')] : []),
  ];
  if (!isLossy) return `The copy lacks ${counts.join(', ')}; repairs.json names each.`;
  const emptied =
    emptiedImages > 0
      ? ` ${counted(emptiedImages, 'image')} lost all ${emptiedImages === 1 ? 'its' : 'their'} objects, or ${emptiedImages === 1 ? 'is' : 'are'} not there at all.`
      : '';
  return `The copy lost too much to stand for the original: it lacks ${counts.join(', ')}.${emptied} repairs.json names each.`;
}
