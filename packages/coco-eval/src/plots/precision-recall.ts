import { precisionRecallCurve } from '../analysis/curves.ts';
import type { Evaluation } from '../evaluate.ts';
import type { Id } from '../read/ids.ts';
import { element, picture, STYLE, text } from './svg.ts';

/** From strict to easy: dark blue to warm yellow, told apart also in grey and by colour-blind readers. */
const COLOURS = ['#fbb61a', '#ed6925', '#bc3754', '#781c6d', '#320a5e'];

const WIDTH = 760;
const HEIGHT = 480;
const PLOT = { left: 64, top: 76, width: 540, height: 340 };

/**
 * Precision over recall, mean over categories (or of one), one line per IoU threshold with its AP at the right, as an
 * SVG document of its own.
 */
export function precisionRecallPlot(evaluation: Evaluation, { categoryId }: { readonly categoryId?: Id } = {}): string {
  const { params, iouType, categoryIds, categoryNames } = evaluation;
  const shown = spread(params.iouThresholds, COLOURS.length);
  const curves = shown.map((iouThreshold) =>
    precisionRecallCurve(evaluation, { iouThreshold, ...(categoryId === undefined ? {} : { categoryId }) }),
  );
  const x = (recall: number): number => PLOT.left + recall * PLOT.width;
  const y = (precision: number): number => PLOT.top + (1 - precision) * PLOT.height;
  const lines = curves.map(({ recall, precision }, i) => {
    const points = precision.map((p, r) => (p < 0 ? '' : `${x(recall[r]!).toFixed(1)},${y(p).toFixed(1)}`)).join(' ');
    return element('polyline', {
      points: points.trim(),
      fill: 'none',
      stroke: COLOURS[i]!,
      'stroke-width': 2.2,
      'stroke-linejoin': 'round',
    });
  });
  const legend = curves.map(({ iouThreshold, precision }, i) => {
    const at = PLOT.top + 34 + 24 * i;
    const left = PLOT.left + PLOT.width + 20;
    const defined = precision.filter((p) => p > -1);
    const ap = defined.length === 0 ? '-' : (defined.reduce((sum, p) => sum + p, 0) / defined.length).toFixed(3);
    return (
      element('line', { x1: left, x2: left + 16, y1: at - 4, y2: at - 4, stroke: COLOURS[i]!, 'stroke-width': 3 }) +
      text(left + 24, at, iouThreshold.toFixed(2)) +
      text(left + 104, at, ap, { 'text-anchor': 'end', fill: STYLE.ink })
    );
  });
  const name = categoryId === undefined ? undefined : categoryNames[categoryIds.indexOf(categoryId)];
  const what = { bbox: 'boxes', segm: 'masks', keypoints: 'keypoints', boundary: 'masks and their edges' }[iouType];
  return picture(
    WIDTH,
    HEIGHT,
    `Precision and recall of ${what}${name === undefined ? '' : `: ${name}`}`,
    name === undefined ? 'Mean over categories, by the IoU that a match needs' : 'By the IoU that a match needs',
    axes(x, y) + lines.join('') + legendHead() + legend.join(''),
  );
}

function legendHead(): string {
  const left = PLOT.left + PLOT.width + 20;
  return (
    text(left + 24, PLOT.top + 10, 'IoU', { 'font-weight': 600 }) +
    text(left + 104, PLOT.top + 10, 'AP', { 'font-weight': 600, 'text-anchor': 'end' })
  );
}

function axes(x: (v: number) => number, y: (v: number) => number): string {
  const parts: string[] = [];
  for (let i = 0; i <= 5; i++) {
    const value = i / 5;
    const ends = { x1: x(0), x2: x(1), y1: y(value), y2: y(value) };
    parts.push(element('line', { ...ends, stroke: i === 0 ? STYLE.soft : STYLE.grid }));
    parts.push(text(PLOT.left - 10, y(value) + 4, value.toFixed(1), { 'text-anchor': 'end' }));
    parts.push(text(x(value), y(0) + 20, value.toFixed(1), { 'text-anchor': 'middle' }));
  }
  parts.push(text(x(0.5), y(0) + 44, 'Recall', { 'text-anchor': 'middle', fill: STYLE.ink }));
  const side = { 'text-anchor': 'middle', fill: STYLE.ink, transform: `rotate(-90 20 ${y(0.5)})` };
  parts.push(text(20, y(0.5), 'Precision', side));
  return parts.join('');
}

/** Up to `count` entries, the first and the last among them. */
function spread(values: readonly number[], count: number): number[] {
  if (values.length <= count) return [...values];
  return Array.from({ length: count }, (_, i) => values[Math.floor((i * (values.length - 1)) / (count - 1))]!);
}
