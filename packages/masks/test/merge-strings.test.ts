import { RcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type CompressedMask,
  encodeColumns,
  mergeCompressed,
  mergeRuns,
  runsFromCounts,
  runsFromString,
  runsToString,
} from '../src/index.ts';

/** What `mergeCompressed` stands for. */
function stepByStep(masks: readonly CompressedMask[], how: 'union' | 'intersection'): CompressedMask {
  const merged = mergeRuns(
    masks.map(({ size, counts }) => runsFromString(counts, size)),
    how,
  );
  return { size: merged.size, counts: runsToString(merged) };
}

/** Run lengths of any kind, also of no pixels, that cover `pixels`. */
const runs = (pixels: number, longest: number): fc.Arbitrary<CompressedMask> =>
  fc
    .array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: longest })), { maxLength: 40 })
    .map((list) => {
      const counts: number[] = [];
      let left = pixels;
      for (const run of list) {
        counts.push(Math.min(run, left));
        left -= counts.at(-1)!;
      }
      const size = [1, pixels] as const;
      return { size, counts: runsToString(runsFromCounts([...counts, left], size)) };
    });

const outcome = (body: () => unknown): unknown => {
  try {
    return body();
  } catch (error) {
    if (error instanceof RcnnError) return error.code;
    throw error;
  }
};

describe('mergeCompressed is reading, merging and writing', () => {
  test.each([
    ['small masks', 60, 9],
    ['no pixels', 0, 0],
    ['runs of several groups', 5_000_000, 100_000],
    ['runs of thirty bits', 2 ** 31 - 2, 2 ** 30],
    ['masks beyond 32 bits with a sign', 2 ** 32 - 1, 2 ** 31],
  ])('%s', (_, pixels, longest) => {
    fc.assert(
      fc.property(
        fc.array(runs(pixels, longest), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('union' as const, 'intersection' as const),
        (masks, how) => {
          expect(mergeCompressed(masks, how)).toEqual(stepByStep(masks, how));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('random strings give the same mask or the same refusal', () => {
    const code = fc.string({ unit: fc.constantFrom(...Array.from('0123456OPQo_`Ā ')), maxLength: 6 });
    fc.assert(
      fc.property(code, code, fc.integer({ min: 0, max: 12 }), (a, b, width) => {
        const masks = [a, b].map((counts) => ({ size: [1, width] as const, counts }));
        expect(outcome(() => mergeCompressed(masks))).toEqual(outcome(() => stepByStep(masks, 'union')));
      }),
      { numRuns: 5000 },
    );
  });
});

test('values computed by pycocotools', () => {
  const a = { size: [4, 5] as const, counts: '5220003' };
  const b = { size: [4, 5] as const, counts: ':22000' };
  expect(mergeCompressed([a, b], 'union').counts).toBe('5221O01O');
  expect(mergeCompressed([a, b], 'intersection').counts).toBe(':1302');
});

test('what cannot be merged is refused', () => {
  const mask = { size: [4, 5] as const, counts: '5220003' };
  expect(outcome(() => mergeCompressed([]))).toBe('INVALID_ARGUMENT');
  expect(outcome(() => mergeCompressed([mask, { size: [5, 4], counts: '5220003' }]))).toBe('MASK_SIZE_MISMATCH');
  expect(outcome(() => mergeCompressed([{ size: [-4, -5], counts: '5220003' }]))).toBe('RLE_INVALID');
  expect(outcome(() => mergeCompressed([mask, { size: [4, 5], counts: '522000`' }]))).toBe('RLE_INVALID');
  expect(outcome(() => mergeCompressed([mask, { size: [4, 5], counts: '522000' }]))).toBe('RLE_INVALID');
});

describe('where it is done', () => {
  const masks = [
    { size: [4, 5], counts: '5220003' },
    { size: [4, 5], counts: ':22000' },
  ] as const;
  afterEach(() => {
    vi.doUnmock('../src/runs/combine.ts');
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  test('the kernel merges what is well formed', async () => {
    vi.doMock('../src/runs/combine.ts', () => ({ mergeRuns: () => expect.fail('JavaScript was asked') }));
    vi.resetModules();
    const { mergeCompressed: merge } = await import('../src/runs/merge-strings.ts');
    expect(merge(masks).counts).toBe('5221O01O');
    expect(merge(masks, 'intersection').counts).toBe(':1302');
  });

  test('without WebAssembly JavaScript gives the same', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    const { kernelWithMemory } = await import('../src/kernel.ts');
    expect(kernelWithMemory(1)).toBeUndefined();
    const { mergeCompressed: merge } = await import('../src/runs/merge-strings.ts');
    expect(merge(masks).counts).toBe('5221O01O');
    expect(merge(masks, 'intersection').counts).toBe(':1302');
  });
});

test('masks of more turns than the kernel takes, and those after them', () => {
  const random = new Random(4);
  const restless = (pixels: number): CompressedMask => {
    const size = [pixels, 1] as const;
    const bitmap = Uint8Array.from({ length: pixels }, () => random.integer(2));
    return { size, counts: runsToString(encodeColumns(bitmap, size)) };
  };
  for (const pixels of [1_500_000, 40, 200_000, 3]) {
    const pair = [restless(pixels), restless(pixels)];
    for (const how of ['union', 'intersection'] as const) {
      expect(mergeCompressed(pair, how)).toEqual(stepByStep(pair, how));
    }
  }
});
