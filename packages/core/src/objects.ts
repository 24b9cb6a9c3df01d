import { RcnnError } from './errors.ts';

/**
 * What is known of the objects of one image, column by column: a {@link Target} for instance, or regions with their
 * scores. Every array has the same number of elements per object, in the objects' order; anything else (an `imageId`)
 * is about the image.
 */
export interface Objects {
  /** One per object; their number is the number of objects. */
  readonly labels: Int32Array;
}

/**
 * Some of the objects, in the order of `rows`: every column that is there follows, those of your own too, and what is
 * said of the image stays. Rows may come twice.
 * @throws SHAPE_MISMATCH naming a column that does not have the same number of elements for each object;
 * INVALID_ARGUMENT for a row that there is not
 */
export function takeObjects<T extends Objects>(objects: T, rows: ArrayLike<number>): T {
  const count = objects.labels.length;
  for (let i = 0; i < rows.length; i++) {
    if (Number.isInteger(rows[i]) && rows[i]! >= 0 && rows[i]! < count) continue;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'takeObjects',
      place: `rows[${i}]`,
      problem: 'there is no such object',
      found: `${rows[i]}`,
      expected: `0 to ${count - 1}`,
    });
  }
  const taken = Object.entries(objects).map(([name, value]) => [name, takeColumn(name, value, rows, count)]);
  return Object.fromEntries(taken) as T;
}

type Column = readonly unknown[] | Float32Array | Float64Array | Int32Array | Uint8Array;

function takeColumn(name: string, value: unknown, rows: ArrayLike<number>, count: number): unknown {
  if (!isColumn(value)) return value;
  const width = count === 0 ? 0 : value.length / count;
  if (!Number.isInteger(width) || (count === 0 && value.length > 0)) {
    throw new RcnnError('SHAPE_MISMATCH', {
      where: 'takeObjects',
      place: name,
      problem: 'a column does not have the same number of elements for each object',
      found: `${value.length} elements for ${count} objects`,
    });
  }
  if (Array.isArray(value)) {
    return Array.from(rows, (row) => value.slice(row * width, (row + 1) * width)).flat();
  }
  const column = value as Float32Array;
  const taken = new (column.constructor as Float32ArrayConstructor)(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    taken.set(column.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  }
  return taken;
}

function isColumn(value: unknown): value is Column {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** The rows of objects for which `wanted` holds. */
export function rowsWhere(objects: Objects, wanted: (row: number) => boolean): Int32Array {
  return Int32Array.from([...objects.labels.keys()].filter(wanted));
}
