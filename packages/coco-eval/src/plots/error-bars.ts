import { ERROR_KINDS, type ErrorBreakdown, type ErrorKind } from '../analysis/errors.ts';
import { element, picture, STYLE, text } from './svg.ts';

const MEANING: Readonly<Record<ErrorKind, [name: string, meaning: string]>> = {
  classification: ['Classification', 'right place, wrong class'],
  localisation: ['Localisation', 'right class, poor place'],
  both: ['Both', 'wrong class, poor place'],
  duplicate: ['Duplicate', 'object found before'],
  background: ['Background', 'nothing is there'],
  missed: ['Missed', 'object without a detection'],
};

const COLOURS: Readonly<Record<ErrorKind, string>> = {
  classification: '#4477aa',
  localisation: '#66ccee',
  both: '#228833',
  duplicate: '#ccbb44',
  background: '#ee6677',
  missed: '#aa3377',
};

const WIDTH = 760;
const ROW = 44;
const LEFT = 208;
const RIGHT = 620;
const TOP = 98;

/** What the AP would gain if each kind of error were put right, as bars, as an SVG document of its own. */
export function errorPlot({ ap, counts, gain }: ErrorBreakdown): string {
  const most = Math.max(0.01, ...ERROR_KINDS.map((kind) => gain[kind]));
  const rows = ERROR_KINDS.map((kind, i) => {
    const y = TOP + i * ROW;
    const width = (Math.max(0, gain[kind]) / most) * (RIGHT - LEFT);
    const [name, meaning] = MEANING[kind];
    return (
      text(24, y + 14, name, { fill: STYLE.ink, 'font-size': 13, 'font-weight': 600 }) +
      text(24, y + 30, meaning, { 'font-size': 11.5 }) +
      element('rect', { x: LEFT, y: y + 4, width: Math.max(width, 1), height: 24, rx: 2, fill: COLOURS[kind] }) +
      text(LEFT + width + 8, y + 21, `+${(100 * gain[kind]).toFixed(1)}`, { fill: STYLE.ink, 'font-weight': 600 }) +
      text(WIDTH - 24, y + 21, counts[kind].toLocaleString('en'), { 'text-anchor': 'end' })
    );
  });
  const heads =
    text(LEFT, TOP - 14, 'AP points gained when put right', { 'font-weight': 600 }) +
    text(WIDTH - 24, TOP - 14, 'errors', { 'font-weight': 600, 'text-anchor': 'end' });
  return picture(
    WIDTH,
    TOP + ERROR_KINDS.length * ROW + 20,
    'Where the average precision is lost',
    `AP at IoU 0.50 is ${(100 * ap).toFixed(1)} of 100; each kind of error is put right alone`,
    heads + rows.join(''),
  );
}
