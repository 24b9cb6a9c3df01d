import { expect, test } from 'vitest';
import { BufferPool, sizeClass } from '../src/pool.ts';

test('sizes waste at most an eighth and are their own class', () => {
  for (let bytes = 16_384; bytes < 5_000_000; bytes = Math.ceil(bytes * 1.013)) {
    const size = sizeClass(bytes);
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size).toBeLessThanOrEqual(bytes * 1.125);
    expect(sizeClass(size)).toBe(size);
  }
});

test('a buffer comes back when its last user lets go', () => {
  const pool = new BufferPool(1e9);
  const first = pool.float32(10_000);
  pool.retain(first.buffer);
  pool.retain(first.buffer);
  pool.release(first.buffer);
  expect(pool.idleBytes).toBe(0);
  pool.release(first.buffer);
  expect(pool.lentBytes).toBe(0);
  expect(pool.idleBytes).toBe(first.buffer.byteLength);
  expect(pool.float32(9_900).buffer).toBe(first.buffer); // the same class of size
});

test('at most the limit lies idle: the longest idle goes first', () => {
  const pool = new BufferPool(100_000);
  const [a, b, c] = [40_000, 20_000, 60_000].map((bytes) => pool.uint8(bytes));
  for (const array of [a!, b!, c!]) pool.retain(array.buffer);
  for (const array of [a!, b!, c!]) pool.release(array.buffer);
  expect(pool.idleBytes).toBeLessThanOrEqual(100_000);
  expect(pool.uint8(40_000).buffer).not.toBe(a!.buffer);
  expect(pool.uint8(60_000).buffer).toBe(c!.buffer);
});

test("others' buffers and small ones are left alone", () => {
  const pool = new BufferPool(1e9);
  pool.release(new ArrayBuffer(1 << 20));
  const small = pool.float32(10);
  pool.retain(small.buffer);
  pool.release(small.buffer);
  expect(pool.idleBytes).toBe(0);
  expect(small.length).toBe(10);
});
