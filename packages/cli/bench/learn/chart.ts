/** Two panels in one SVG: the loss by step, and AP after each evaluation. Drawn by hand, so that it needs nothing. */
import type { Point } from './compare.ts';

export interface Panel {
  readonly title: string;
  readonly curves: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

const COLORS = ['#1f6feb', '#d1570c'];
const [WIDTH, HEIGHT, GAP] = [420, 280, 20];
const MARGIN = { left: 48, right: 12, top: 34, bottom: 40 };

/** Where the names begin: at the right, below the middle, where neither a loss that falls nor an AP that rises passes. */
const LEGEND = 150;

export function drawChart(title: string, panels: readonly Panel[]): string {
  const width = panels.length * (WIDTH + GAP) - GAP;
  const bodies = panels.map((panel, i) => `<g transform="translate(${i * (WIDTH + GAP)} 0)">${draw(panel)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" role="img" aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${bodies.join('\n')}
</svg>
`;
}

function draw({ title, curves }: Panel): string {
  const all = curves.flatMap(({ points }) => points);
  const lastStep = Math.max(1, ...all.map(([step]) => step));
  const highest = niceTop(Math.max(0, ...all.map(([, value]) => value)));
  const x = (step: number): number => MARGIN.left + (step / lastStep) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number => HEIGHT - MARGIN.bottom - (value / highest) * (HEIGHT - MARGIN.top - MARGIN.bottom); // biome-ignore format: one line
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = share * highest;
    return `<path d="M${x(0)} ${y(value).toFixed(1)}H${WIDTH - MARGIN.right}" stroke="#d7dbe0"/><text x="${MARGIN.left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end" fill="#57606a">${Number(value.toPrecision(3))}</text>`;
  });
  const steps = [0, 0.5, 1].map((share) => {
    const step = Math.round(share * lastStep);
    return `<text x="${x(step).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle" fill="#57606a">${step}</text>`;
  });
  const lines = curves.map(({ name, points }, i) => {
    const path = points.map(([step, value], j) => `${j === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
    const dots = points.length > 30 ? [] : points.map(([step, value]) => `<circle cx="${x(step).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3" fill="${COLORS[i]}"/>`); // biome-ignore format: one line
    const legend = `<text x="${WIDTH - MARGIN.right}" y="${LEGEND + 14 * i}" text-anchor="end" fill="${COLORS[i]}">${escape(name)}</text>`;
    return `<path d="${path.join('')}" fill="none" stroke="${COLORS[i]}" stroke-width="1.8"/>${dots.join('')}${legend}`;
  });
  const head = `<text x="${MARGIN.left}" y="20" font-weight="600" fill="#1b1f24">${escape(title)}</text>`;
  const foot = `<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#57606a">step</text>`;
  return [head, ...grid, ...steps, ...lines, foot].join('\n');
}

/** The next round number above. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((n) => n * unit).find((top) => top >= value)!;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
