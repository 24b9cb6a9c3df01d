import type { Context2D } from './canvas.ts';

/** The font of labels and titles. `@rcnn/visualize/node` brings Inter along; elsewhere the system's font stands in. */
export function fontOf(size: number, weight: 400 | 600 = 400): string {
  return `${weight} ${size}px Inter, "Helvetica Neue", Arial, sans-serif`;
}

/** The text, or as much of it as fits `width` pixels with an ellipsis. */
export function shorten(context: Context2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  const letters = Array.from(text); // code points: half an emoji is never shown
  while (letters.length > 0) {
    letters.pop();
    const shorter = `${letters.join('').trimEnd()}…`;
    if (context.measureText(shorter).width <= width) return shorter;
  }
  return '';
}
