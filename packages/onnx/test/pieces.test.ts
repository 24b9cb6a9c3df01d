import { expect, test } from 'vitest';
import { inPieces } from '../src/compile/pieces.ts';

/** Regions whose label, and first corner, is their number. */
function regions(first: number, count: number) {
  const labels = Int32Array.from({ length: count }, (_, i) => first + i);
  return { labels, boxes: Float32Array.from({ length: 4 * count }, (_, i) => (i % 4 === 0 ? first + i / 4 : -1)) };
}

test.each([1, 2, 3, 5, 7, 100])(
  'regions of three images, %i at once, are asked once each and in order',
  async (size) => {
    const batch = [regions(0, 3), regions(3, 0), regions(3, 4)];
    let most = 0;
    const [labels, corners] = await inPieces(batch, size, async (piece) => {
      expect(piece.length).toBe(3);
      const asked = piece.flatMap((ofImage) => [...ofImage.labels]);
      most = Math.max(most, asked.length);
      const boxes = piece.flatMap((ofImage) => [...ofImage.boxes].filter((_, i) => i % 4 === 0));
      return [Float32Array.from(asked), Float32Array.from(boxes)];
    });
    expect([...labels!]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...corners!]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(most).toBe(Math.min(size, 7));
  },
);
