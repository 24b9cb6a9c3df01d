import type { CocoAnnotation, CocoDataset, CocoResult } from '@rcnn/coco-eval';

/** Errors of one image: objects that nothing found, and detections of nothing. */
export interface ImageErrors {
  /** The image's id in the truth. */
  readonly id: number | string;
  readonly missed: number;
  readonly wrong: number;
}

/** From this overlap of boxes on a detection has found an object. */
const FOUND = 0.5;

/**
 * The images with the most errors, worst first, of equal ones in the order of the data; those without any are left out.
 * Boxes of one class are matched best score first; what lies in a crowd is no error.
 */
export function worstImages(
  { images, annotations = [] }: CocoDataset,
  results: readonly CocoResult[],
  scoreThreshold: number,
): ImageErrors[] {
  const truths = byImage(annotations);
  const found = byImage(results.filter(({ score }) => score >= scoreThreshold));
  return images
    .map(({ id }) => ({ id, ...errorsOf(truths.get(id) ?? [], found.get(id) ?? []) }))
    .filter(({ missed, wrong }) => missed + wrong > 0)
    .toSorted((a, b) => b.missed + b.wrong - a.missed - a.wrong);
}

function byImage<T extends { readonly image_id: number | string }>(list: readonly T[]): Map<number | string, T[]> {
  const groups = new Map<number | string, T[]>();
  for (const item of list) {
    const group = groups.get(item.image_id);
    if (group === undefined) groups.set(item.image_id, [item]);
    else group.push(item);
  }
  return groups;
}

function errorsOf(truths: readonly CocoAnnotation[], found: readonly CocoResult[]): Omit<ImageErrors, 'id'> {
  const free = new Set(truths.filter(({ iscrowd }) => !iscrowd));
  const crowds = truths.filter(({ iscrowd }) => iscrowd);
  let wrong = 0;
  for (const result of found.toSorted((a, b) => b.score - a.score)) {
    const own = [...free].filter(({ category_id }) => category_id === result.category_id);
    const [best] = own
      .map((truth) => ({ truth, overlap: overlapOf(truth.bbox, result.bbox) }))
      .toSorted((a, b) => b.overlap - a.overlap);
    if (best !== undefined && best.overlap >= FOUND) free.delete(best.truth);
    else if (!crowds.some(({ bbox }) => overlapOf(bbox, result.bbox, 'of the second') >= FOUND)) wrong++;
  }
  return { missed: free.size, wrong };
}

type Box = readonly number[] | undefined;

/** Of boxes `[x, y, width, height]`: intersection over union, or the part of the second that lies in the first. */
function overlapOf(first: Box, second: Box, share: 'of both' | 'of the second' = 'of both'): number {
  if (first === undefined || second === undefined) return 0;
  const [x1, y1, w1, h1] = first as [number, number, number, number];
  const [x2, y2, w2, h2] = second as [number, number, number, number];
  const across = Math.min(x1 + w1, x2 + w2) - Math.max(x1, x2);
  const down = Math.min(y1 + h1, y2 + h2) - Math.max(y1, y2);
  if (across <= 0 || down <= 0) return 0;
  const both = across * down;
  return both / (share === 'of both' ? w1 * h1 + w2 * h2 - both : w2 * h2);
}
