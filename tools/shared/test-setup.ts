import { expect } from 'vitest';

/**
 * Deep equality looks at millions of numbers one by one and then prints them all: it once ran into the time limit of a
 * slow machine. So it refuses large arrays of numbers and names what to use instead.
 */
const LARGEST = 100_000;

expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    for (const value of [a, b]) {
      const size = ArrayBuffer.isView(value) || Array.isArray(value) ? (value as ArrayLike<unknown>).length : 0;
      if (size > LARGEST) {
        throw new Error(
          `${size} numbers are too many for deep equality: compare them with expectSameBits of @rcnn/shared/same-bits`,
        );
      }
    }
    return undefined;
  },
]);
