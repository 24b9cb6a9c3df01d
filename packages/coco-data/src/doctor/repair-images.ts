import type { ImageSize } from '@rcnn/core';
import { imagesById } from '../image-ids.ts';
import type { AnnotationRecord, ImageRecord } from '../records.ts';

/** What the file of an image that decodes says about itself. */
export interface FileFacts {
  /** `[height, width]` of the pixels as stored. */
  readonly stored: ImageSize;
  /** The same after the EXIF orientation: what people see. */
  readonly shown: ImageSize;
  /** EXIF orientation, 1 … 8. */
  readonly orientation: number;
}

/** What becomes of one image in the copy. */
export type ImageVerdict =
  | { readonly keep: true; readonly size: ImageSize; readonly upright: boolean; readonly because?: string }
  | { readonly keep: false; readonly because: string };

export interface ImageEvidence {
  readonly image: ImageRecord;
  readonly facts: FileFacts;
  readonly annotations: readonly AnnotationRecord[];
  /** The record states no size. */
  readonly sizeless: boolean;
  /** The file has places as fractions of the picture: they fit every size, and say nothing of it. */
  readonly inFractions: boolean;
  /** The user says that annotations were drawn on pictures as shown. */
  readonly asShown: boolean;
}

const UNDECIDED =
  'no size in the record, and its objects fit the picture as stored and as shown (EXIF): --auto-orient says that they were drawn as shown';

const OUTSIDE =
  'no size in the record, and its objects reach beyond the file: it may be another picture, or a smaller one';

/** Pixels by which objects may overhang and still count as inside: annotators round. */
const SLACK = 1;

/**
 * Where record and file disagree about the size, one of them is wrong, and with it maybe every object: the record is put
 * right only where the objects themselves, or the orientation of the file, say that they were drawn on this picture.
 */
export function judgeImages(evidence: readonly ImageEvidence[]): readonly ImageVerdict[] {
  const turnedOver = evidence.filter(
    ({ image, facts }) => isSwapped(image.size, facts.stored) && facts.orientation < 5,
  );
  // A tool that swaps height and width does so for all pictures: one object that fits only the files tells for the others.
  const swappedByTool =
    turnedOver.every(({ annotations, facts }) => fit(annotations, facts.stored)) &&
    turnedOver.some(({ image, annotations }) => !fit(annotations, image.size));
  return evidence.map((one) => judge(one, swappedByTool));
}

function judge(evidence: ImageEvidence, swappedByTool: boolean): ImageVerdict {
  const { image, facts, annotations, sizeless, inFractions, asShown } = evidence;
  const { stored, shown, orientation } = facts;
  const record = image.size;
  const turn = `EXIF orientation ${orientation}: drawn on the picture as shown, which is written upright`;
  if (sizeless) {
    const fitBoth = inFractions || (fit(annotations, stored) && fit(annotations, shown));
    const either = !asShown && !same(stored, shown) && fitBoth;
    if (either && annotations.length > 0) return { keep: false, because: UNDECIDED };
    const couldSay = image.sizeOfFile !== 'format';
    if (couldSay && !fit(annotations, stored) && !fit(annotations, shown)) return { keep: false, because: OUTSIDE };
    const onShown = asShown || (!fit(annotations, stored) && fit(annotations, shown));
    return onShown && orientation > 1
      ? { keep: true, size: shown, upright: true, because: turn }
      : {
          keep: true,
          size: stored,
          upright: false,
          ...(couldSay && { because: `the record had no size; the file has ${text(stored)}` }),
        };
  }
  if (orientation > 1 && asShown && same(record, shown))
    return { keep: true, size: shown, upright: true, because: turn };
  if (same(record, stored)) return { keep: true, size: stored, upright: false };
  if (orientation >= 5 && same(record, shown)) return { keep: true, size: shown, upright: true, because: turn };
  const found = `the file has ${text(stored)}, its record ${text(record)} (height x width)`;
  const oneSide = record[0] === stored[0] || record[1] === stored[1];
  const proven = oneSide || !fit(annotations, record) || (swappedByTool && isSwapped(record, stored));
  if (annotations.length === 0 || (fit(annotations, stored) && proven))
    return { keep: true, size: stored, upright: false, because: found };
  return { keep: false, because: `${found}: whether its objects were drawn on this picture, nothing tells` };
}

/** Whether all objects that have a place at all lie inside an image of this size. */
function fit(annotations: readonly AnnotationRecord[], [height, width]: ImageSize): boolean {
  return annotations.every(({ box, segmentation }) => {
    if (segmentation && segmentation.kind !== 'polygons') {
      const own = segmentation.kind === 'runs' ? segmentation.runs.size : segmentation.size;
      return same(own, [height, width]);
    }
    if (segmentation)
      return segmentation.parts.every((part) => part.every((value, i) => inside(value, i % 2 ? height : width)));
    return !box.every(Number.isFinite) || (inside(box[2], width) && inside(box[3], height));
  });
}

function inside(value: number, side: number): boolean {
  return value <= side + SLACK;
}

/**
 * Annotations that name files where ids should stand (`"a.jpg"`, `"a"`), with the ids of those files. Only where no
 * annotation has an id that there is, for then nothing else can be meant, and only where one file has the name.
 */
export function withIdsOfFiles(
  images: readonly ImageRecord[],
  annotations: readonly AnnotationRecord[],
): readonly AnnotationRecord[] {
  const find = imagesById(images);
  if (annotations.some(({ imageId }) => typeof imageId !== 'string' || find(imageId) !== undefined)) return annotations;
  const named = new Map<string, ImageRecord | undefined>();
  for (const image of images)
    for (const name of namesOf(image.file)) named.set(name, named.has(name) ? undefined : image);
  return annotations.map((annotation) => {
    const image = named.get(annotation.imageId as string);
    return image === undefined ? annotation : { ...annotation, imageId: image.id };
  });
}

/** What a file may be called: its path, its name, and its name without the ending. */
function namesOf(file: string): ReadonlySet<string> {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return new Set([file, name, name.replace(/\.[^.]+$/, '')]);
}

function same(a: ImageSize, b: ImageSize): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function isSwapped(a: ImageSize, b: ImageSize): boolean {
  return a[0] === b[1] && a[1] === b[0] && a[0] !== a[1];
}

function text([height, width]: ImageSize): string {
  return `${height}x${width}`;
}
