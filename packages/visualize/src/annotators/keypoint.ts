import { cssColor } from '../palette.ts';
import type { Skeleton } from '../scene.ts';
import { type Annotator, defaultLineWidth } from './annotator.ts';

/** The 17 keypoints of COCO's persons: head, arms, trunk and legs. */
export const cocoSkeleton: Skeleton = [
  ...([
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 4],
  ] as const),
  ...([
    [5, 6],
    [5, 7],
    [7, 9],
    [6, 8],
    [8, 10],
  ] as const),
  ...([
    [5, 11],
    [6, 12],
    [11, 12],
  ] as const),
  ...([
    [11, 13],
    [13, 15],
    [12, 14],
    [14, 16],
  ] as const),
];

export interface KeypointAnnotatorOptions {
  /** Default the scene's, else {@link cocoSkeleton} for objects of 17 keypoints, no lines for others. */
  readonly skeleton?: Skeleton;
  /** Keypoints with a score or visibility at or below it are left out. Default 0. */
  readonly minScore?: number;
  /** Pixels of the canvas. Default: grows with the picture. */
  readonly radius?: number;
}

/** Keypoints as dots, joined by a skeleton. */
export function keypointAnnotator({ skeleton, minScore = 0, radius }: KeypointAnnotatorOptions = {}): Annotator {
  return (context, scene) => {
    const line = defaultLineWidth(scene);
    context.save();
    context.lineCap = 'round';
    context.lineWidth = line;
    scene.objects.forEach(({ keypoints = [] }, index) => {
      const shown = keypoints.map(([x, y, v]) =>
        v > minScore ? ([x * scene.scale, y * scene.scale] as const) : undefined,
      );
      context.strokeStyle = cssColor(scene.colorOf(index));
      for (const [from, to] of skeleton ?? scene.skeleton ?? (keypoints.length === 17 ? cocoSkeleton : [])) {
        const [a, b] = [shown[from], shown[to]];
        if (a === undefined || b === undefined) continue;
        context.beginPath();
        context.moveTo(...a);
        context.lineTo(...b);
        context.stroke();
      }
      for (const point of shown) {
        if (point === undefined) continue;
        for (const [color, size] of [
          ['white', 2],
          [cssColor(scene.colorOf(index)), 1.25],
        ] as const) {
          context.fillStyle = color;
          context.beginPath();
          context.arc(...point, (radius ?? line) * size, 0, 2 * Math.PI);
          context.fill();
        }
      }
    });
    context.restore();
  };
}
