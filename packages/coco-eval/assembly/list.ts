// Lists the cells (images and categories) that hold anything, as `src/match/cells.ts` does.

/**
 * Writes the rows of images `[from, to)` and of known categories to `rows`, in their order. Gives how many.
 * @param image place of each row's image in the table of images, or -1; the table has the place that is evaluated, or -1
 * @param category the same of categories
 * @param images room for the places of all rows, u32
 * @param categories the same
 */
export function rowsInside(
  image: usize,
  category: usize,
  count: i32,
  imageTable: usize,
  categoryTable: usize,
  from: i32,
  to: i32,
  images: usize,
  categories: usize,
  rows: usize,
): i32 {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const at = (<usize>i) << 2;
    const imagePlace = placeIn(imageTable, load<i32>(image + at));
    const categoryPlace = placeIn(categoryTable, load<i32>(category + at));
    store<i32>(images + at, imagePlace);
    store<i32>(categories + at, categoryPlace);
    if (imagePlace < from || imagePlace >= to || categoryPlace < 0) continue;
    store<u32>(rows + ((<usize>kept) << 2), i);
    kept++;
  }
  return kept;
}

function placeIn(table: usize, index: i32): i32 {
  return index < 0 ? -1 : load<i32>(table + ((<usize>index) << 2));
}

/**
 * Walks through truths and detections that are ordered by image and column, and writes each cell: image, column, first
 * and last truth, first and last detection (i32). Gives how many there are.
 */
export function listCells(
  truths: usize,
  truthCount: i32,
  truthImages: usize,
  truthColumns: usize,
  rows: usize,
  count: i32,
  images: usize,
  columns: usize,
  cells: usize,
): i32 {
  let n = 0;
  for (let g = 0, d = 0; g < truthCount || d < count; n++, cells += 24) {
    const cell = min(keyAt(truths, g, truthCount, truthImages, truthColumns), keyAt(rows, d, count, images, columns));
    store<i32>(cells, <i32>(cell >> 32));
    store<i32>(cells, <i32>cell, 4);
    store<i32>(cells, g, 8);
    while (keyAt(truths, g, truthCount, truthImages, truthColumns) == cell) g++;
    store<i32>(cells, g, 12);
    store<i32>(cells, d, 16);
    while (keyAt(rows, d, count, images, columns) == cell) d++;
    store<i32>(cells, d, 20);
  }
  return n;
}

/** The cell of the row at place `i`, image first; beyond the last row after all cells. */
function keyAt(rows: usize, i: i32, count: i32, images: usize, columns: usize): u64 {
  if (i >= count) return u64.MAX_VALUE;
  const at = (<usize>load<u32>(rows + ((<usize>i) << 2))) << 2;
  return ((<u64>load<u32>(images + at)) << 32) | <u64>load<u32>(columns + at);
}

/** Whether any of the numbers (f64, `step` bytes apart) of the rows is NaN. */
export function anyNaN(values: usize, step: usize, rows: usize, count: i32): bool {
  for (let i = 0; i < count; i++) {
    const value = load<f64>(values + <usize>load<u32>(rows + ((<usize>i) << 2)) * step);
    if (value != value) return true;
  }
  return false;
}
