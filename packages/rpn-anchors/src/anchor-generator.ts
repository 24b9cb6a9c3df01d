import { type ImageSize, RcnnError } from '@rcnn/core';

const { fround, floor, sqrt } = Math;

export interface AnchorGeneratorOptions {
  /** Side lengths in pixels per level, finest first. Default one level: `[[128, 256, 512]]`. */
  readonly sizes?: readonly (readonly number[])[];
  /** Ratios height / width, the same for all levels or one list per level. Default `[0.5, 1, 2]`. */
  readonly aspectRatios?: readonly number[] | readonly (readonly number[])[];
  /** Corners of the cell at the origin as whole pixels, as torchvision has them. Default true. */
  readonly rounded?: boolean | undefined;
  /** What changes slowest among the anchors of a cell: `ratio` as in torchvision, `size` elsewhere. Default `ratio`. */
  readonly outer?: 'ratio' | 'size' | undefined;
  /** Pixels between cells, per level. Default the padded side over the number of cells, rounded down. */
  readonly strides?: readonly number[] | undefined;
  /** Where in its cell an anchor's middle is, as a share of the stride; needs strides. Default 0, the cell's corner. */
  readonly offset?: number | undefined;
}

/** Gives the anchors of every level. {@link AnchorGenerator} is one; inject your own into the RPN. */
export interface AnchorSource {
  /** Anchors per cell, per level. */
  readonly anchorsPerCell: readonly number[];
  /** How the anchors of any size follow from those of one cell: what an exported model needs. Absent: not exportable. */
  readonly lattice?: AnchorLattice;
  /**
   * The anchors `[H * W * A * 4]` of each level, `x1, y1, x2, y2` in pixels of the padded image, cell by cell in rows.
   * Nobody writes into them.
   */
  forward(gridSizes: readonly ImageSize[], paddedSize: ImageSize): readonly Float32Array[];
}

/** The same anchors around every cell: those of the cell at the origin, shifted by whole steps. */
export interface AnchorLattice {
  /** Per level the anchors of the cell at the origin: `[A * 4]`. */
  readonly baseAnchors: readonly Float32Array[];
  /** Pixels between cells, per level; `padded / grid`: the padded side over the number of cells, rounded down. */
  readonly steps: readonly number[] | 'padded / grid';
}

/** Grids whose anchors are kept; a training run sees a handful of padded sizes, a server a few more. */
const KEPT_GRIDS = 16;

/**
 * Anchors: boxes of a few sizes and shapes around the corner of every cell, `x1, y1, x2, y2` in pixels of the padded
 * image. Order: row, column, ratio, size, or size before ratio: weights are right with the order they were trained with
 * alone, and no shape tells. Anchors that leave the image stay.
 * @see Ren et al. 2015, section 3.1.1 (arXiv:1506.01497); one size per level: Lin et al. 2017, section 4.1
 */
export class AnchorGenerator implements AnchorSource {
  /** Per level the anchors of the cell at the origin: `[A * 4]`. */
  readonly baseAnchors: readonly Float32Array[];
  readonly #strides: readonly number[] | undefined;
  readonly #kept = new Map<string, Float32Array[]>();

  /** @throws INVALID_ARGUMENT when there are ratios or strides for another number of levels */
  constructor(options: AnchorGeneratorOptions = {}) {
    const { sizes = [[128, 256, 512]], aspectRatios = [0.5, 1, 2], rounded = true, outer = 'ratio', strides } = options;
    const { offset = 0 } = options;
    const ratios = perLevel(aspectRatios, sizes.length);
    if (strides !== undefined && strides.length !== sizes.length) {
      throw otherLevels('one stride per level is needed', `${strides.length} strides`, sizes.length);
    }
    this.#strides = strides;
    const corners = rounded ? wholeCorners : exactCorners;
    this.baseAnchors = sizes.map((ofLevel, level) => {
      const shapes =
        outer === 'ratio'
          ? ratios[level]!.flatMap((ratio) => ofLevel.map((size) => corners(size, ratio)))
          : ofLevel.flatMap((size) => ratios[level]!.map((ratio) => corners(size, ratio)));
      const at = offset * (strides?.[level] ?? 0);
      return Float32Array.from(shapes.flatMap(([x, y]) => [at - x, at - y, at + x, at + y]));
    });
  }

  get lattice(): AnchorLattice {
    return { baseAnchors: this.baseAnchors, steps: this.#strides ?? 'padded / grid' };
  }

  /** Anchors per cell, per level. */
  get anchorsPerCell(): readonly number[] {
    return this.baseAnchors.map((base) => base.length / 4);
  }

  /**
   * The anchors `[H * W * A * 4]` of each level. Kept and given again for the same sizes: do not write into them.
   * Unless strides were given, the step between cells is `floor(padded / grid)` on each axis, so it need not be the
   * level's nominal stride.
   * @throws SHAPE_MISMATCH when there are not as many grids as levels
   */
  forward(gridSizes: readonly ImageSize[], paddedSize: ImageSize): readonly Float32Array[] {
    if (gridSizes.length !== this.baseAnchors.length) {
      throw new RcnnError('SHAPE_MISMATCH', {
        where: 'AnchorGenerator.forward',
        problem: 'one grid per level of sizes is needed',
        found: `${gridSizes.length} grids`,
        expected: `${this.baseAnchors.length}`,
        hint: 'Give the generator one list of sizes for every feature map that the RPN sees.',
      });
    }
    const key = [paddedSize, ...gridSizes].join(';');
    const anchors =
      this.#kept.get(key) ??
      gridSizes.map((grid, i) => place(this.baseAnchors[i]!, grid, this.#step(i, grid, paddedSize)));
    this.#kept.delete(key); // and to the end of the queue: the least recently used is dropped first
    this.#kept.set(key, anchors);
    if (this.#kept.size > KEPT_GRIDS) this.#kept.delete(this.#kept.keys().next().value!);
    return anchors;
  }

  /** Pixels between rows and between columns. */
  #step(level: number, [rows, columns]: ImageSize, [height, width]: ImageSize): readonly [number, number] {
    const stride = this.#strides?.[level];
    return stride === undefined ? [floor(height / rows), floor(width / columns)] : [stride, stride];
  }
}

/** The anchors of a feature pyramid: on level i one size, `32 * 2^i`, in three shapes. */
export function pyramidAnchors(levels: number): AnchorGenerator {
  return new AnchorGenerator({ sizes: Array.from({ length: levels }, (_, i) => [32 * 2 ** i]) });
}

function perLevel(ratios: readonly number[] | readonly (readonly number[])[], levels: number): readonly number[][] {
  if (!Array.isArray(ratios[0])) return Array.from({ length: levels }, () => ratios as number[]);
  if (ratios.length !== levels) {
    throw otherLevels('one list of aspect ratios per level is needed', `${ratios.length} lists`, levels);
  }
  return ratios as number[][];
}

function otherLevels(problem: string, given: string, levels: number): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', {
    where: 'AnchorGenerator',
    problem,
    found: `${given} for ${levels} levels`,
  });
}

/** Half the sides of an anchor of the area `size`², in whole pixels. */
function wholeCorners(size: number, ratio: number): readonly [x: number, y: number] {
  // In float32 step by step: which side of a half a corner falls on decides a whole pixel.
  const rootRatio = fround(sqrt(fround(ratio)));
  return [roundHalfToEven(fround(fround(1 / rootRatio) * size) / 2), roundHalfToEven(fround(rootRatio * size) / 2)];
}

/** The same as it comes. */
function exactCorners(size: number, ratio: number): readonly [x: number, y: number] {
  const width = size / sqrt(ratio);
  return [width / 2, (ratio * width) / 2];
}

/** As PyTorch and IEEE 754 round; `Math.round` rounds halves up. */
function roundHalfToEven(x: number): number {
  const low = floor(x);
  const rest = x - low;
  if (rest !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

function place(
  base: Float32Array,
  [rows, columns]: ImageSize,
  [stepY, stepX]: readonly [number, number],
): Float32Array {
  const anchors = new Float32Array(rows * columns * base.length);
  let p = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let i = 0; i < base.length; i += 2) {
        anchors[p++] = base[i]! + column * stepX;
        anchors[p++] = base[i + 1]! + row * stepY;
      }
    }
  }
  return anchors;
}
