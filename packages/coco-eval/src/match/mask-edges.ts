import type { MaskArena } from '../read/segmentations.ts';

/** How far an edge reaches into an object, as a share of the image's diagonal. */
const DILATION_RATIO = 0.02;

/**
 * Adds the edge of a mask to another arena: its pixels that are no further from the outside than a fiftieth of the
 * image's diagonal, along a row, a column or both. What lies beyond the image is outside.
 * @see Cheng et al. 2021, section 4 (arXiv:2103.16562)
 */
export function addEdge(masks: MaskArena, mask: number, edges: MaskArena): void {
  const height = masks.heights[mask]!;
  const width = masks.widths[mask]!;
  const [left, top, columns, rows] = masks.boxes.slice(4 * mask, 4 * mask + 4) as [number, number, number, number];
  const reach = reachOf(height, width);
  const inside = pixelsOf(masks, mask, { left, top, columns, rows });
  const core = eroded(eroded(inside, { lines: columns, length: rows, step: 1, next: rows }, reach), { lines: rows, length: columns, step: rows, next: 1 }, reach); // biome-ignore format: one line
  const counts: number[] = [];
  let run = 0; // of zeros where `counts` has an even length
  const take = (isEdge: boolean, pixels: number): void => {
    if (pixels === 0) return;
    if (counts.length % 2 !== Number(isEdge)) {
      counts.push(run);
      run = 0;
    }
    run += pixels;
  };
  take(false, left * height);
  for (let column = 0; column < columns; column++) {
    take(false, top);
    for (let row = 0; row < rows; row++) {
      const at = column * rows + row;
      take(inside[at] === 1 && core[at] === 0, 1);
    }
    take(false, height - top - rows);
  }
  take(false, (width - left - columns) * height);
  counts.push(run);
  edges.addCounts(counts, height, width);
}

/** Pixels of an edge, at least 1. Halves go to the even side, as Python rounds. */
export function reachOf(height: number, width: number): number {
  const exact = DILATION_RATIO * Math.sqrt(height ** 2 + width ** 2);
  const low = Math.floor(exact);
  const rounded = exact - low === 0.5 ? low + (low % 2) : Math.round(exact);
  return Math.max(1, rounded);
}

interface Part {
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
}

/** The pixels in a mask's box, column by column: 1 inside. */
function pixelsOf(masks: MaskArena, mask: number, { left, top, columns, rows }: Part): Uint8Array {
  const pixels = new Uint8Array(columns * rows);
  const height = masks.heights[mask]!;
  for (let i = masks.starts[mask]! + 1; i < masks.starts[mask + 1]!; i += 2) {
    for (let at = masks.ends[i - 1]!; at < masks.ends[i]!; at++) {
      const column = Math.floor(at / height);
      pixels[(column - left) * rows + (at - column * height) - top] = 1;
    }
  }
  return pixels;
}

/** Lines of pixels: `lines` of `length`, pixels `step` apart, lines `next` apart. */
interface Lines {
  readonly lines: number;
  readonly length: number;
  readonly step: number;
  readonly next: number;
}

/** Only the pixels that have `reach` others of the same line on both sides. */
function eroded(pixels: Uint8Array, { lines, length, step, next }: Lines, reach: number): Uint8Array {
  const result = new Uint8Array(pixels.length);
  for (let line = 0; line < lines; line++) {
    let run = 0;
    for (let i = 0; i <= length; i++) {
      const at = line * next + i * step;
      if (i < length && pixels[at] === 1) {
        run++;
        continue;
      }
      for (let back = reach + 1; back <= run - reach; back++) result[at - back * step] = 1;
      run = 0;
    }
  }
  return result;
}
