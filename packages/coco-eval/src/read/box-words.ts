import type { Detections, GroundTruth } from './columns.ts';

/** Fewer boxes prove nothing. */
const FEWEST = 8;

/**
 * What boxes of a file of results seem to be where they are not `x, y, width, height` in pixels: COCO's evaluation finds
 * nothing of them, and says no word. They count as they are written.
 */
export function boxWarnings(
  { where, boxes, image, count }: Pick<Detections, 'where' | 'boxes' | 'image' | 'count'>,
  { imageSizes }: Pick<GroundTruth, 'imageSizes'>,
): readonly string[] {
  let [known, fractions, corners, overhanging] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [x, y, width, height] = [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!];
    const [rows, columns] = [imageSizes[2 * image[i]!]!, imageSizes[2 * image[i]! + 1]!];
    if (Number.isNaN(x) || rows <= 4 || columns <= 4) continue;
    known++;
    if (Math.min(x, y, width, height) >= 0 && Math.max(x, y, width, height) <= 1.01) fractions++;
    if (width > x && height > y && width <= columns + 1 && height <= rows + 1) corners++;
    if (x + width > columns + 1 || y + height > rows + 1) overhanging++;
  }
  if (known < FEWEST) return [];
  const as = 'they count as x, y, width and height in pixels';
  if (fractions === known)
    return [`${where}: all ${known} boxes lie between 0 and 1, as fractions of the image do; ${as}.`];
  if (corners < known || overhanging <= known / 4) return [];
  return [
    `${where}: boxes look like corners (x1, y1, x2, y2): ${overhanging} of ${known} reach beyond their image, and all fit as corners; ${as}.`,
  ];
}
