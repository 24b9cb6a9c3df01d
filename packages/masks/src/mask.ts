import type { ImageSize, InstanceMask, RunLengths } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { decodeRows, encodeRows } from './forms/bitmap.ts';
import { type Contour, contours, polygonsFromRuns } from './forms/contours.ts';
import { runsFromBox, runsFromPolygons } from './forms/polygon.ts';
import { cropRuns, flipRuns, resizeRuns } from './forms/reshape.ts';
import { checkMaskSize, runsArea, runsBox, runsFromCounts, runsFromString, runsToString } from './runs/runs.ts';

/** COCO's `segmentation` of an object with its size: the string is compressed, the list is not. */
export interface CocoMask {
  readonly size: readonly number[];
  readonly counts: string | readonly number[];
}

type Source =
  | { readonly kind: 'runs'; readonly runs: RunLengths }
  | { readonly kind: 'string'; readonly counts: string }
  | { readonly kind: 'polygons'; readonly polygons: readonly ArrayLike<number>[] }
  | { readonly kind: 'bitmap'; readonly bitmap: Uint8Array | Uint8ClampedArray };

/**
 * The mask of one object of a dataset: run lengths, COCO string, polygons or bitmap, whichever it was made from. It
 * gives every other form when asked and keeps none of them, so a dataset stays as small as its file.
 */
export class Mask implements InstanceMask {
  /** `[height, width]` of the image in pixels. */
  readonly size: ImageSize;
  readonly #source: Source;

  private constructor(size: ImageSize, source: Source, where: string) {
    checkMaskSize(size, where);
    this.size = [size[0], size[1]];
    this.#source = source;
  }

  /** From run lengths of `@rcnn/core`. @throws RLE_INVALID */
  static fromRuns(runs: RunLengths): Mask {
    return new Mask(runs.size, { kind: 'runs', runs: runsFromCounts(runs.counts, runs.size) }, 'Mask.fromRuns');
  }

  /** From COCO's RLE, compressed (a string, checked when first read) or not (a list). @throws RLE_INVALID */
  static fromRLE({ size, counts }: CocoMask): Mask {
    if (!Array.isArray(size) || size.length !== 2) {
      throw new RcnnError('RLE_INVALID', {
        where: 'Mask.fromRLE',
        problem: 'the size must be [height, width]',
        found: JSON.stringify(size),
      });
    }
    const imageSize: ImageSize = [size[0] as number, size[1] as number];
    if (typeof counts === 'string') return new Mask(imageSize, { kind: 'string', counts }, 'Mask.fromRLE');
    return new Mask(imageSize, { kind: 'runs', runs: runsFromCounts(counts, imageSize) }, 'Mask.fromRLE');
  }

  /**
   * From COCO polygons: one flat `x0, y0, x1, y1, …` list per part, in pixels. They are filled, and checked, when the
   * mask is first needed.
   */
  static fromPolygons(polygons: readonly ArrayLike<number>[], size: ImageSize): Mask {
    return new Mask(size, { kind: 'polygons', polygons }, 'Mask.fromPolygons');
  }

  /** From a box `[x, y, width, height]` in pixels, filled as pycocotools does. */
  static fromBox(box: readonly [number, number, number, number], size: ImageSize): Mask {
    return new Mask(size, { kind: 'runs', runs: runsFromBox(box, size) }, 'Mask.fromBox');
  }

  /** From a row-major bitmap `[height * width]`; any byte but 0 is object. The array is kept, not copied. */
  static fromBitmap(bitmap: Uint8Array | Uint8ClampedArray, size: ImageSize): Mask {
    if (bitmap.length !== size[0] * size[1]) {
      throw new RcnnError('MASK_SIZE_MISMATCH', {
        where: 'Mask.fromBitmap',
        problem: 'the bitmap has another number of pixels',
        found: String(bitmap.length),
        expected: `${size[0]} x ${size[1]} = ${size[0] * size[1]}`,
      });
    }
    return new Mask(size, { kind: 'bitmap', bitmap }, 'Mask.fromBitmap');
  }

  runLengths(): RunLengths {
    const source = this.#source;
    if (source.kind === 'runs') return source.runs;
    if (source.kind === 'string') return runsFromString(source.counts, this.size);
    if (source.kind === 'polygons') return runsFromPolygons(source.polygons, this.size);
    return encodeRows(source.bitmap, this.size);
  }

  bitmap(): Uint8Array {
    return decodeRows(this.runLengths());
  }

  /** COCO's compressed form. */
  rle(): { size: [number, number]; counts: string } {
    const counts = this.#source.kind === 'string' ? this.#source.counts : runsToString(this.runLengths());
    return { size: [this.size[0], this.size[1]], counts };
  }

  /** COCO polygons: those it was made from, or else its outlines along pixel edges. */
  polygons(): number[][] {
    if (this.#source.kind === 'polygons') return this.#source.polygons.map((polygon) => Array.from(polygon));
    return polygonsFromRuns(this.runLengths());
  }

  /** Its outlines along pixel edges, part by part, holes apart. */
  contours(): Contour[] {
    return contours(this.runLengths());
  }

  /** Pixels of the object. */
  area(): number {
    return runsArea(this.runLengths());
  }

  /** The tightest box: `x1, y1, x2, y2` in pixels, x2 and y2 after the last pixel; all 0 for an empty mask. */
  box(): [x1: number, y1: number, x2: number, y2: number] {
    const [x, y, width, height] = runsBox(this.runLengths());
    return [x, y, x + width, y + height];
  }

  /** Mirrored left to right. */
  flipHorizontal(): Mask {
    return this.#derived(flipRuns(this.runLengths()));
  }

  /** The window of `size` whose top left pixel is (`top`, `left`); outside the image there is background. */
  crop(top: number, left: number, size: ImageSize): Mask {
    return this.#derived(cropRuns(this.runLengths(), top, left, size));
  }

  /** Resized by nearest neighbour, with PyTorch's rule. */
  resize(size: ImageSize): Mask {
    return this.#derived(resizeRuns(this.runLengths(), size));
  }

  #derived(runs: RunLengths): Mask {
    return new Mask(runs.size, { kind: 'runs', runs }, 'Mask');
  }
}
