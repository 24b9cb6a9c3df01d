import type { Random, Target } from '@rcnn/core';

export const SIDE = 64;
export const CLASS_NAMES: readonly string[] = ['background', 'rectangle', 'disc'];

/** Noise with one or two bright shapes, `[SIDE * SIDE * 3]` in [0, 1], and where they are. */
export function drawShapes(random: Random): { pixels: Float32Array; target: Target } {
  const pixels = Float32Array.from({ length: SIDE * SIDE * 3 }, () => random.uniform(0, 0.3));
  const boxes: number[] = [];
  const labels: number[] = [];
  for (let left = 1 + random.integer(2); left > 0; left--) {
    const label = 1 + random.integer(2);
    const height = 14 + random.integer(22);
    const width = label === 2 ? height : 14 + random.integer(22);
    const [x1, y1] = [random.integer(SIDE - width), random.integer(SIDE - height)];
    const colour = [0, 1, 2].map(() => random.uniform(0.5, 1));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const fromCentre = Math.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5);
        if (label === 2 && fromCentre > 0.5) continue;
        pixels.set(colour, ((y1 + y) * SIDE + x1 + x) * 3);
      }
    }
    boxes.push(x1, y1, x1 + width, y1 + height);
    labels.push(label);
  }
  return { pixels, target: { boxes: Float32Array.from(boxes), labels: Int32Array.from(labels) } };
}
