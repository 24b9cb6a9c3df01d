import type { Context2D } from '../canvas.ts';
import type { Scene } from '../scene.ts';

/**
 * Draws one thing about a scene's objects on a canvas that already shows the image. The image's top left corner is at
 * the canvas' origin. Any function of this shape works beside ours.
 */
export type Annotator = (context: Context2D, scene: Scene) => void;

/** Lines look alike on small and large pictures: their width follows the longer side of the canvas. */
export function defaultLineWidth({ size, scale }: Scene): number {
  return Math.max(1, Math.round((Math.max(...size) * scale) / 320));
}

/** The order in which areas are painted: large ones first, so that a small object in front stays visible. */
export function largestFirst({ objects }: Scene): number[] {
  const area = (index: number): number => {
    const [x1, y1, x2, y2] = objects[index]!.box;
    return (x2 - x1) * (y2 - y1);
  };
  return objects.map((_, index) => index).toSorted((a, b) => area(b) - area(a));
}
