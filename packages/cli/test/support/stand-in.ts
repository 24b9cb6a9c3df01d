import type { Detection, PixelImage } from '@rcnn/core';
import { Mask } from '@rcnn/masks';
import type { Finder } from '../../src/predict/finder.ts';

/**
 * A model of a few lines that really looks: each connected patch of red, green or blue pixels is an object of class 1, 2
 * or 3. With it tests know what must be found, whatever is done to the image on the way.
 */
export const patches: Finder = {
  detect: async (images) => images.map((image) => [1, 2, 3].flatMap((label) => patchesOf(image, label))),
};

function patchesOf({ data, width, height }: PixelImage, label: number): Detection[] {
  const seen = new Uint8Array(width * height);
  const is = (at: number): boolean => [0, 1, 2].every((c) => data[3 * at + c]! > 200 === (c === label - 1));
  const found: Detection[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1 || !is(start)) continue;
    const bitmap = new Uint8Array(width * height);
    const queue = [start];
    seen[start] = 1;
    while (queue.length > 0) {
      const at = queue.pop()!;
      bitmap[at] = 1;
      const x = at % width;
      for (const next of [x > 0 ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (next < 0 || next >= seen.length || seen[next] === 1 || !is(next)) continue;
        seen[next] = 1;
        queue.push(next);
      }
    }
    const mask = Mask.fromBitmap(bitmap, [height, width]);
    const soft = (): Float32Array => Float32Array.from(bitmap);
    // Larger patches are surer: a piece cut off by an edge is less sure than the whole.
    const score = 0.6 + 0.4 * (1 - 1 / mask.area());
    found.push({ box: mask.box(), label, score, mask: Object.assign(mask, { soft }) });
  }
  return found;
}

/** A black picture with squares: `[left, top, side, label]`. */
export function picture(
  [height, width]: readonly [number, number],
  squares: readonly (readonly [left: number, top: number, side: number, label: number])[],
): PixelImage {
  const data = new Uint8Array(height * width * 3);
  for (const [left, top, side, label] of squares) {
    for (let y = top; y < top + side; y++) {
      for (let x = left; x < left + side; x++) data[3 * (y * width + x) + label - 1] = 255;
    }
  }
  return { data, height, width, channels: 3 };
}
