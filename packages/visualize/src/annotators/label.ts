import type { Context2D } from '../canvas.ts';
import { cssColor, readableOn } from '../palette.ts';
import type { DrawnObject, Scene } from '../scene.ts';
import { fontOf, shorten } from '../text.ts';
import type { Annotator } from './annotator.ts';

export interface LabelAnnotatorOptions {
  /** Write the score behind the name. Default true. */
  readonly scores?: boolean;
  /** Height of the letters in pixels of the canvas. Default: grows with the picture, 11 to 24. */
  readonly fontSize?: number;
  /** Write something else. Default: name and score; nothing when neither is known. */
  readonly text?: (object: DrawnObject, scene: Scene) => string;
}

/** A rectangle of the canvas. */
interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Names and scores on plates of the object's colour. A plate stands above its box where there is room, else inside or
 * below it; it never leaves the picture, is shortened when it is wider than that, and avoids the plates before it.
 */
export function labelAnnotator({ scores = true, fontSize, text }: LabelAnnotatorOptions = {}): Annotator {
  return (context, scene) => {
    const [height, width] = scene.size.map((side) => side * scene.scale) as [number, number];
    const letters = fontSize ?? Math.round(Math.max(11, Math.min(24, Math.max(height, width) / 36)));
    const padding = Math.round(letters / 4);
    const taken: Place[] = [];
    context.save();
    context.font = fontOf(letters, 600);
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    scene.objects.forEach((object, index) => {
      const words = shorten(
        context,
        text === undefined ? describe(object, scene, scores) : text(object, scene),
        width - 2 * padding,
      );
      if (words === '') return;
      const plate = {
        width: Math.min(width, Math.ceil(context.measureText(words).width) + 2 * padding),
        height: Math.min(height, letters + 2 * padding),
      };
      const place = choosePlace(object, scene, plate, taken);
      taken.push(place);
      drawPlate(context, place, padding, words, scene.colorOf(index));
    });
    context.restore();
  };
}

function describe({ label = 0, score, crowd }: DrawnObject, scene: Scene, scores: boolean): string {
  const name = label > 0 ? (scene.names.get(label) ?? `class ${label}`) : '';
  const parts = [name, crowd === true ? '(crowd)' : '', scores && score !== undefined ? score.toFixed(2) : ''];
  return parts.filter((part) => part !== '').join(' ');
}

/** The first free place around the box, or the one that covers least of what is written already. */
function choosePlace(
  { box }: DrawnObject,
  { size, scale }: Scene,
  plate: { readonly width: number; readonly height: number },
  taken: readonly Place[],
): Place {
  const [left, top, right, bottom] = box.map((side) => Math.round(side * scale)) as [number, number, number, number];
  const [height, width] = size.map((side) => side * scale) as [number, number];
  const { width: w, height: h } = plate;
  const corners = [
    [left, top - h], // above
    [right - w, top - h],
    [left, top], // inside, at the top
    [right - w, top],
    [left, bottom], // below
    [right - w, bottom],
    [left, bottom - h], // inside, at the bottom
    [left, (top + bottom - h) / 2],
  ] as const;
  let best: Place | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [x, y] of corners) {
    const place = { x: clamp(x, width - w), y: clamp(y, height - h), width: w, height: h };
    // Being pushed back into the picture costs a little: places that fit by themselves come first.
    const moved = Math.abs(place.x - x) + Math.abs(place.y - y);
    const cost = taken.reduce((sum, other) => sum + overlap(place, other), 0) + (moved > 0 ? 1 : 0);
    if (cost < least) [best, least] = [place, cost];
    if (cost === 0) break;
  }
  return best!;
}

function drawPlate(
  context: Context2D,
  { x, y, width, height }: Place,
  padding: number,
  words: string,
  color: readonly [number, number, number],
): void {
  context.fillStyle = cssColor(color);
  context.fillRect(x, y, width, height);
  context.fillStyle = cssColor(readableOn(color));
  context.fillText(words, x + padding, y + height / 2);
}

function overlap(a: Place, b: Place): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

function clamp(value: number, high: number): number {
  return Math.max(0, Math.min(high, value));
}
