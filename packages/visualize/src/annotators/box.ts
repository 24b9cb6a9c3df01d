import { cssColor } from '../palette.ts';
import { type Annotator, defaultLineWidth } from './annotator.ts';

export interface BoxAnnotatorOptions {
  /** Pixels of the canvas. Default: grows with the picture, at least 1. */
  readonly lineWidth?: number;
}

/** Outlines of the boxes, kept wholly inside the picture. */
export function boxAnnotator({ lineWidth }: BoxAnnotatorOptions = {}): Annotator {
  return (context, scene) => {
    const line = lineWidth ?? defaultLineWidth(scene);
    const [height, width] = scene.size.map((side) => side * scene.scale) as [number, number];
    const half = line / 2;
    context.save();
    context.lineJoin = 'round';
    context.lineWidth = line;
    scene.objects.forEach(({ box }, index) => {
      const [left, top, right, bottom] = box.map((side) => side * scene.scale) as [number, number, number, number];
      const x = clamp(left, half, width - half);
      const y = clamp(top, half, height - half);
      context.strokeStyle = cssColor(scene.colorOf(index));
      context.strokeRect(x, y, clamp(right, half, width - half) - x, clamp(bottom, half, height - half) - y);
    });
    context.restore();
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
