import type { ConfusionMatrix } from '../analysis/confusion.ts';
import { element, picture, STYLE, text } from './svg.ts';

/** More classes than this cannot be told apart in a picture. */
const MOST = 30;
const LEFT = 150;
const TOP = 190;

/**
 * The confusion matrix as an SVG document of its own: rows are what is there, columns what was said, and the darker a
 * field, the larger its part of the row. Of many classes those with the most objects are shown.
 */
export function confusionPlot({ labels, counts }: ConfusionMatrix): string {
  const side = labels.length;
  const at = (row: number, column: number): number => counts[row * side + column]!;
  const total = (row: number): number => counts.subarray(row * side, (row + 1) * side).reduce((sum, n) => sum + n, 0);
  const background = side - 1;
  const classes = Array.from({ length: background }, (_, k) => k);
  const shown = classes
    .map((k) => [k, total(k)] as const)
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST)
    .map(([k]) => k)
    .sort((a, b) => a - b);
  const axis = [...shown, background];
  const cell = Math.max(22, Math.min(56, Math.floor(560 / axis.length)));
  const name = (k: number): string => (labels[k]!.length > 18 ? `${labels[k]!.slice(0, 17)}…` : labels[k]!);
  const fields = axis.flatMap((row, i) => {
    const all = total(row);
    return axis.map((column, j) => field(LEFT + j * cell, TOP + i * cell, cell, at(row, column), all));
  });
  const rows = axis.map((k, i) =>
    text(LEFT - 8, TOP + (i + 0.5) * cell + 4, name(k), { 'text-anchor': 'end', fill: STYLE.ink }),
  );
  const columns = axis.map((k, j) => {
    const x = LEFT + (j + 0.5) * cell + 4;
    return text(x, TOP - 8, name(k), { fill: STYLE.ink, transform: `rotate(-60 ${x} ${TOP - 8})` });
  });
  const end = axis.length * cell;
  const heads =
    text(24, TOP - 8, 'what is there', { 'font-weight': 600 }) +
    text(LEFT + end + 16, TOP - 8, 'what was said', { 'font-weight': 600 });
  const left = background - shown.length;
  return picture(
    LEFT + end + 130,
    TOP + end + 24,
    'What objects were taken for',
    `Number of objects, and their part of the row${left > 0 ? `; ${left} classes with fewer objects are left out` : ''}`,
    fields.join('') + rows.join('') + columns.join('') + heads,
  );
}

function field(x: number, y: number, side: number, count: number, all: number): string {
  const part = all === 0 ? 0 : count / all;
  const box = element('rect', { x, y, width: side - 1, height: side - 1, fill: shade(part) });
  if (count === 0) return box;
  const size = count < 1000 ? 11 : count < 100_000 ? 9 : 7;
  const ink = part > 0.55 ? STYLE.paper : STYLE.ink;
  return (
    box + text(x + side / 2, y + side / 2 + 4, String(count), { 'text-anchor': 'middle', fill: ink, 'font-size': size })
  );
}

/** From paper to dark blue. */
function shade(part: number): string {
  const mix = (light: number, dark: number): string =>
    Math.round(light + (dark - light) * part)
      .toString(16)
      .padStart(2, '0');
  return `#${mix(244, 23)}${mix(246, 64)}${mix(250, 128)}`;
}
