import type { PixelImage, RunLengths, Target } from '@rcnn/core';
import { Random } from '@rcnn/core/random';
import { PatchMask, type Scene, sceneOf } from '../src/index.ts';

/** The image whose value at (y, x, c) is (7 x + 13 y + 101 c + x y) mod 256, as in the script that made the fixtures. */
export function pattern(height: number, width: number): PixelImage {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = (7 * x + 13 * y + 101 * c + x * y) % 256;
  }
  return { data, height, width, channels: 3 };
}

/** An ellipse as run lengths: column-major, first the zeros. */
function ellipse(height: number, width: number, cx: number, cy: number, rx: number, ry: number): RunLengths {
  const counts: number[] = [];
  let [value, run] = [0, 0];
  for (let i = 0; i < height * width; i++) {
    const [x, y] = [Math.floor(i / height) + 0.5, (i % height) + 0.5];
    const bit = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1 ? 1 : 0;
    if (bit === value) run++;
    else {
      counts.push(run);
      [value, run] = [bit, 1];
    }
  }
  return { size: [height, width], counts: Uint32Array.from([...counts, run]) };
}

/** A scene of ellipses with keypoints at their centres and extremes; each is marked by its colour. */
export function randomScene(seed: number): Scene {
  const random = new Random(seed);
  const [height, width] = [24 + random.integer(60), 24 + random.integer(60)];
  const masks = Array.from({ length: random.integer(6) }, () =>
    PatchMask.fromRunLengths(
      ellipse(
        height,
        width,
        random.uniform(4, width - 4),
        random.uniform(4, height - 4),
        random.uniform(1.5, 14),
        random.uniform(1.5, 14),
      ),
    ),
  ).filter((mask) => !mask.isEmpty);
  const target: Target = {
    boxes: Float32Array.from(masks.flatMap((mask) => mask.box)),
    labels: Int32Array.from(masks, (_, i) => i + 1),
    masks,
    keypoints: Float32Array.from(
      masks.flatMap(({ box: [x1, y1, x2, y2] }) => [(x1 + x2) / 2, (y1 + y2) / 2, 2, x1, y1, 1, 0, 0, 0]),
    ),
    crowd: Uint8Array.from(masks, () => 0),
    area: Float64Array.from(masks, (mask) => mask.area),
    imageId: seed,
  };
  return sceneOf(pattern(height, width), target);
}
