import type { InstanceMask, PixelImage } from '@rcnn/core';
import type { DrawnObject } from '../src/index.ts';

/** A mask from a rule on pixels. */
export function maskOf(height: number, width: number, inside: (y: number, x: number) => boolean): InstanceMask {
  const bitmap = Uint8Array.from({ length: height * width }, (_, i) =>
    Number(inside(Math.floor(i / width), i % width)),
  );
  return {
    size: [height, width],
    bitmap: () => bitmap,
    runLengths: () => {
      throw new Error('annotators draw from bitmaps');
    },
  };
}

/** A soft gradient of sky above ground. */
export function landscape(height: number, width: number): PixelImage {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) {
    const y = Math.floor(i / width) / height;
    data.set(y < 0.6 ? [120 + 80 * y, 160 + 60 * y, 220] : [90, 120 - 40 * y, 60], i * 3);
  }
  return { data, height, width, channels: 3 };
}

export function disc(
  size: readonly [number, number],
  y: number,
  x: number,
  radius: number,
  rest: Partial<DrawnObject>,
): DrawnObject {
  return {
    box: [x - radius, y - radius, x + radius, y + radius],
    mask: maskOf(...size, (row, column) => (row + 0.5 - y) ** 2 + (column + 0.5 - x) ** 2 < radius ** 2),
    ...rest,
  };
}
