import type { DetectorSpec, ImageSize, PixelImage, Target } from '@rcnn/core';
import { Mask } from '@rcnn/masks';

/** An image with what is on it. */
export interface TestScene {
  readonly image: PixelImage;
  readonly target: Target;
}

type Spec = Pick<DetectorSpec, 'numClasses' | 'learnsFrom' | 'numKeypoints'>;

/** Noise with two bright rectangles, the first and the last class; with all that the detector learns from. */
export function testScene([height, width]: ImageSize, { numClasses, learnsFrom, numKeypoints = 0 }: Spec): TestScene {
  const boxes = [
    [Math.floor(width * 0.1), Math.floor(height * 0.1), Math.floor(width * 0.5), Math.floor(height * 0.6)],
    [Math.floor(width * 0.4), Math.floor(height * 0.3), Math.floor(width * 0.9), Math.floor(height * 0.9)],
  ] as const;
  const target = {
    boxes: Float32Array.from(boxes.flat()),
    labels: Int32Array.of(1, numClasses - 1),
    masks: boxes.map(([x1, y1, x2, y2]) => Mask.fromBox([x1, y1, x2 - x1, y2 - y1], [height, width])),
    keypoints: Float32Array.from(boxes.flatMap((box) => pointsIn(box, numKeypoints))),
    imageId: `${height}x${width}`,
  };
  const { masks, keypoints, ...always } = target;
  return {
    image: { data: pixels(height, width, boxes), height, width, channels: 3 },
    target: {
      ...always,
      ...(learnsFrom.includes('masks') && { masks }),
      ...(learnsFrom.includes('keypoints') && { keypoints }),
    },
  };
}

/** The same image with nothing on it. */
export function withoutObjects({ image }: TestScene): TestScene {
  return { image, target: { boxes: new Float32Array(), labels: new Int32Array() } };
}

/** The same objects, all of them marked as crowds. */
export function crowdsAlone({ image, target }: TestScene): TestScene {
  return { image, target: { ...target, crowd: new Uint8Array(target.labels.length).fill(1) } };
}

/** The smallest image that there is. */
export const onePixel: TestScene = withoutObjects({
  image: { data: Float32Array.of(0.2, 0.5, 0.9), height: 1, width: 1, channels: 3 },
  target: { boxes: new Float32Array(), labels: new Int32Array() },
});

type Sides = readonly [number, number, number, number];

function pointsIn([x1, y1, x2, y2]: Sides, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const share = (i + 1) / (count + 1);
    return [x1 + share * (x2 - x1), y1 + share * (y2 - y1), 2];
  }).flat();
}

function pixels(height: number, width: number, boxes: readonly Sides[]): Float32Array {
  return Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const noise = (Math.imul(i + 1, 0x9e3779b1) >>> 8) / 2 ** 24;
    const inside = boxes.findIndex(([x1, y1, x2, y2]) => x >= x1 && x < x2 && y >= y1 && y < y2);
    return 0.3 * noise + (inside < 0 ? 0 : inside === i % 3 ? 0.7 : 0.4);
  });
}
