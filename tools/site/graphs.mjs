// Drawings in pages (```mermaid flowchart) as SVG, made while the site is built: nothing is drawn in the reader's browser.
import { instance } from '@viz-js/viz';

const viz = await instance();

/** Stand-ins for what follows the page's colors: Graphviz knows no variables. */
const COLORS = { '#010101': 'var(--vp-c-text-2)', '#020202': 'var(--vp-c-bg-soft)', '#030303': 'var(--vp-c-text-1)' };

const escaped = (text) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

/** `flowchart BT` with nodes `name["label<br/>more"]` and arrows `a --> b & c`, in Graphviz's words. */
export function toDot(text) {
  const lines = text.split('\n').map((line) => line.trim());
  const direction = /^(?:flowchart|graph)\s+(\w\w)/.exec(lines[0])?.[1];
  if (direction === undefined) throw new Error(`only flowcharts are drawn, not '${lines[0]}'`);
  const out = [
    `rankdir=${direction === 'TD' ? 'TB' : direction}; bgcolor="transparent"; ranksep=0.45; nodesep=0.18;`,
    'node [shape=box, style="rounded,filled", color="#010101", fillcolor="#020202", fontcolor="#030303", fontname="Inter", fontsize=11, margin="0.12,0.06", height=0.3];',
    'edge [color="#010101", arrowsize=0.6, penwidth=0.8];',
  ];
  for (const line of lines.slice(1).filter((one) => one !== '')) {
    const [, node, label] = /^([\w./@-]+)\["([^"]*)"\]$/.exec(line) ?? [];
    const [, from, to] = /^([\w./@-]+) --> ([\w./@&\s-]+)$/.exec(line) ?? [];
    if (node !== undefined)
      out.push(
        `"${node}" [label="${label
          .split(/<br\s*\/?>/)
          .map(escaped)
          .join('\\n')}"];`,
      );
    else if (from !== undefined) for (const end of to.split('&')) out.push(`"${from}" -> "${end.trim()}";`);
    else throw new Error(`a line of a drawing that is not understood: '${line}'`);
  }
  return `digraph { ${out.join('\n')} }`;
}

/** The drawing as an element of the page, no wider than it. */
export function drawn(text) {
  let svg = viz.renderString(toDot(text), { format: 'svg' });
  svg = svg.slice(svg.indexOf('<svg')).replaceAll(/<title>[^<]*<\/title>|<!--[^]*?-->/g, '');
  for (const [stand, color] of Object.entries(COLORS)) svg = svg.replaceAll(stand, color);
  return `<div class="drawing" role="img" tabindex="0" aria-label="Boxes and arrows; the text around them says what they show.">${svg}</div>`;
}
