import { printable } from '@rcnn/core/errors';

/** Ink, paper and the type of every plot. */
export const STYLE = {
  font: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  ink: '#1f2430',
  soft: '#5b6270',
  grid: '#e3e6eb',
  paper: '#ffffff',
} as const;

type Attributes = Readonly<Record<string, string | number>>;

/** An element with its attributes and what is inside. */
export function element(name: string, attributes: Attributes, inside = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(short(value))}"`);
  return inside === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${inside}</${name}>`;
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, fill: STYLE.soft, 'font-size': 12, ...attributes }, escape(content));
}

/** A whole picture: white paper, a title and, below it, a line that says what is seen. */
export function picture(width: number, height: number, title: string, subtitle: string, inside: string): string {
  const head =
    text(24, 32, title, { fill: STYLE.ink, 'font-size': 17, 'font-weight': 600 }) +
    text(24, 52, subtitle, { 'font-size': 12.5 });
  const paper = element('rect', { width, height, fill: STYLE.paper });
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': title,
      'font-family': STYLE.font,
    },
    paper + head + inside,
  )}\n`;
}

export function escape(content: string): string {
  return printable(content)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function short(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
}
