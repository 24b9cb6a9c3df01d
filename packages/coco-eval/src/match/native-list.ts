import { Kernel } from '../kernel.ts';
import type { Axes, CellList, Walk } from './cells.ts';

/** Lists cells by WebAssembly; undefined where that is missing. */
export function listNatively(walk: Walk): CellList | undefined {
  const { truth, detections, params, axes, from, to } = walk;
  const kernel = Kernel.make();
  if (kernel === undefined) return undefined;
  const lister = new Lister(kernel, axes, params.useCategories);
  const truths = lister.side(truth, from, to);
  const found = lister.side(detections, from, to, detections.scores);
  const cells = kernel.room(24 * (truths.count + found.count));
  const { rows, count, images, columns } = found;
  const n = kernel.run.listCells(
    truths.rows,
    truths.count,
    truths.images,
    truths.columns,
    rows,
    count,
    images,
    columns,
    cells,
  );
  return {
    cells: kernel.integers(cells, 6 * n).slice(),
    truths: kernel.words(truths.rows, truths.count).slice(),
    rows: kernel.words(rows, count).slice(),
  };
}

/** Addresses of the rows that are evaluated, ordered by image and column, and of all rows' images and columns. */
interface Side {
  readonly rows: number;
  readonly count: number;
  readonly images: number;
  readonly columns: number;
}

/** Orders truths and detections in one kernel's memory. */
class Lister {
  readonly #kernel: Kernel;
  readonly #imageTable: number;
  readonly #categoryTable: number;
  readonly #images: number;
  readonly #categories: number;
  readonly #ends: number;
  readonly #useCategories: boolean;

  constructor(kernel: Kernel, { image, category, imageIds, categoryIds }: Axes, useCategories: boolean) {
    this.#kernel = kernel;
    this.#imageTable = kernel.copy(image);
    this.#categoryTable = kernel.copy(category);
    this.#images = imageIds.length;
    this.#categories = categoryIds.length;
    this.#ends = kernel.room(4 * Math.max(imageIds.length, categoryIds.length));
    this.#useCategories = useCategories;
  }

  /** @param scores of detections, whose rows are ordered by them within their column; truths keep the order of the file */
  side(
    { image, category, count }: { image: Int32Array; category: Int32Array; count: number },
    from: number,
    to: number,
    scores?: Float64Array,
  ): Side {
    const kernel = this.#kernel;
    const images = kernel.room(4 * count);
    const categories = kernel.room(4 * count);
    let rows = kernel.room(4 * count);
    let spare = kernel.room(4 * count);
    const [imageAt, categoryAt] = [kernel.copy(image), kernel.copy(category)];
    const [imageTable, categoryTable] = [this.#imageTable, this.#categoryTable];
    const n = kernel.run.rowsInside(
      imageAt,
      categoryAt,
      count,
      imageTable,
      categoryTable,
      from,
      to,
      images,
      categories,
      rows,
    );
    const by = (keys: number, buckets: number): void => {
      kernel.run.sortByIndex(rows, n, keys, buckets, this.#ends, spare);
      [rows, spare] = [spare, rows];
    };
    // Without categories equal scores keep the order of the categories, as COCO joins its lists.
    if (!this.#useCategories) by(categories, this.#categories);
    if (scores !== undefined) this.#sortByScore(rows, n, scores);
    if (this.#useCategories) by(categories, this.#categories);
    by(images, this.#images);
    return { rows, count: n, images, columns: this.#useCategories ? categories : this.#zeros(count) };
  }

  #sortByScore(rows: number, n: number, scores: Float64Array): void {
    const kernel = this.#kernel;
    const column = kernel.copy(scores);
    const keys = kernel.room(8 * n);
    const spare = kernel.room(12 * n);
    kernel.run.scoresInOrder(rows, n, column, keys);
    kernel.run.sortByFallingScore(rows, keys, spare, n);
  }

  /** One column for all. */
  #zeros(count: number): number {
    const address = this.#kernel.room(4 * count);
    this.#kernel.words(address, count).fill(0);
    return address;
  }
}
