import { expect, test } from 'vitest';
import { isRcnnError, rowsWhere, type Target, takeObjects } from '../src/index.ts';

const mask = (name: string): NonNullable<Target['masks']>[number] & { readonly name: string } => ({
  name,
  size: [1, 1],
  bitmap: () => new Uint8Array(1),
  runLengths: () => ({ size: [1, 1], counts: Uint32Array.of(1) }),
});
const target = {
  boxes: Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23),
  labels: Int32Array.of(5, 6, 7),
  masks: [mask('a'), mask('b'), mask('c')],
  keypoints: Float32Array.from({ length: 18 }, (_, i) => i), // two points each
  crowd: Uint8Array.of(0, 1, 0),
  area: Float64Array.of(0.1, 0.2, 0.3),
  imageId: 'photo',
  angles: Float32Array.of(1, 2, 3), // a field that nobody here knows
} satisfies Target & { angles: Float32Array };

test('every column follows, those of one’s own too; what is said of the image stays', () => {
  const taken = takeObjects(target, [2, 0]);
  expect([...taken.boxes]).toEqual([20, 21, 22, 23, 0, 1, 2, 3]);
  expect([...taken.labels]).toEqual([7, 5]);
  expect(taken.masks.map(({ name }) => name)).toEqual(['c', 'a']);
  expect([...taken.keypoints]).toEqual([12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5]);
  expect([...taken.crowd]).toEqual([0, 0]);
  expect(taken.area).toEqual(Float64Array.of(0.3, 0.1));
  expect(taken.imageId).toBe('photo');
  expect([...taken.angles]).toEqual([3, 1]);
});

test('no objects keep their fields, from none or from some', () => {
  const none = takeObjects(target, []);
  expect(Object.keys(none)).toEqual(Object.keys(target));
  expect(none.keypoints).toEqual(new Float32Array());
  expect(none.masks).toEqual([]);
  expect(takeObjects(none, [])).toEqual(none);
});

test('rows by a condition', () => {
  expect(rowsWhere(target, (row) => target.crowd[row] !== 1)).toEqual(Int32Array.of(0, 2));
});

test('a column that does not fit and a row that is not there are refused', () => {
  const code = (call: () => unknown): string | undefined => {
    try {
      call();
    } catch (error) {
      return isRcnnError(error) ? `${error.code} ${error.place}` : String(error);
    }
    return undefined;
  };
  expect(code(() => takeObjects({ ...target, area: new Float64Array(4) }, [0]))).toBe('SHAPE_MISMATCH area');
  expect(code(() => takeObjects({ labels: new Int32Array(), crowd: new Uint8Array(1) }, []))).toBe(
    'SHAPE_MISMATCH crowd',
  );
  expect(code(() => takeObjects(target, [0, 3]))).toBe('INVALID_ARGUMENT rows[1]');
  expect(code(() => takeObjects(target, [-1]))).toBe('INVALID_ARGUMENT rows[0]');
  expect(code(() => takeObjects(target, [0.5]))).toBe('INVALID_ARGUMENT rows[0]');
});
