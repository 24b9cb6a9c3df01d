import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErrorCode, isRcnnError, type RcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { afterAll, expect } from 'vitest';
import { type DType, memoryEntry, type TensorEntry } from '../src/index.ts';

/** A directory of its own for a test file; gone at the end. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rcnn-checkpoint-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const fixtures: string = new URL('./fixtures/', import.meta.url).pathname;

export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(fixtures, name)));
}

export function fixtureNames(folder: string): string[] {
  return readdirSync(join(fixtures, folder));
}

/** Asserts that `work` fails with this code, and with `place` in its message; gives the error. */
export async function expectReject(work: unknown, code: ErrorCode, place = ''): Promise<RcnnError> {
  const error = await rejection(work);
  expect(`${error.code}: ${error.message}`).toContain(code);
  expect(error.message).toContain(place);
  return error;
}

/** The RcnnError that `work` fails with. Any other outcome is a failed test. */
export async function rejection(work: unknown): Promise<RcnnError> {
  let result: unknown;
  try {
    result = await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (!isRcnnError(error)) throw error;
    return error;
  }
  throw new Error(`expected an RcnnError, got ${String(result)}`);
}

/** A float32 tensor of seeded numbers. */
export function randomTensor(name: string, shape: readonly number[], seed = 1): TensorEntry {
  const random = new Random(seed).fork(name);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
  return memoryEntry(name, 'float32', shape, values);
}

/** A tensor of seeded bytes in any type. */
export function randomBytesTensor(name: string, dtype: DType, shape: readonly number[], size: number): TensorEntry {
  const random = new Random(7).fork(name);
  const count = shape.reduce((a, b) => a * b, 1) * size;
  return memoryEntry(
    name,
    dtype,
    shape,
    Uint8Array.from({ length: count }, () => random.integer(256)),
  );
}

/** All bytes of a file in the making. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

/** How often a random test repeats; `RCNN_TEST_REPEATS=10` makes it ten times as often. */
export function repeats(usual: number): number {
  return usual * Number(process.env['RCNN_TEST_REPEATS'] ?? 1);
}
