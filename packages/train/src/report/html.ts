import { type ClassificationReport, type ClassRates, type IoUType, type Rates, statNames } from '@rcnn/coco-eval';
import { kindInWords, mostTellingFirst } from '../loop/kinds.ts';
import type { EvaluationRecord, KindRecord } from '../loop/records.ts';

/** What a report shows of an analysis. */
export interface KindReport {
  readonly report: Pick<ClassificationReport, 'scoreThreshold' | 'best'> & {
    readonly classes: readonly (Rates & Pick<ClassRates, 'name' | 'support' | 'best'>)[];
    readonly macro: Rates;
  };
  /** SVG documents. */
  readonly plots: readonly string[];
}

/** Everything that a report shows. Pictures and curves are inside the page: one file can be mailed and kept. */
export interface ReportContents {
  readonly title: string;
  /** One line under the title: what, on what, how long. */
  readonly summary: readonly (readonly [name: string, value: string])[];
  /** SVG text. */
  readonly charts: readonly string[];
  readonly evaluation: EvaluationRecord | undefined;
  readonly analysis: Readonly<Partial<Record<IoUType, KindReport>>> | undefined;
  /** WebP bytes. */
  readonly pictures: readonly { readonly caption: string; readonly webp: Uint8Array }[];
  /** What to change next, a sentence or two each. */
  readonly next: readonly string[];
  readonly config: string;
  readonly environment: Readonly<Record<string, unknown>>;
}

/** A page without scripts or links to elsewhere: everything it needs is in it. */
export function reportHtml(contents: ReportContents): string {
  const { title, summary, charts, evaluation, analysis = {}, pictures, next, config, environment } = contents;
  const kind = tellingKind(evaluation);
  const own = kind && analysis[kind];
  const sections = [
    section('Scores', evaluation === undefined ? '' : scoreTable(evaluation)),
    section('Next', next.length === 0 ? '' : `<ul>${next.map((text) => `<li>${escape(text)}</li>`).join('')}</ul>`),
    section('Threshold', own === undefined ? '' : thresholdAdvice(own.report, kind!)),
    section('Curves', grid(charts)),
    section('Errors', grid(own?.plots.map(plotImage) ?? [])),
    section('Classes', evaluation === undefined ? '' : classTable(evaluation, own?.report)),
    section('Pictures', pictures.map(figure).join('')),
    section('Options', `<pre>${escape(config)}</pre>`),
    section('Environment', `<pre>${escape(JSON.stringify(environment, null, 2))}</pre>`),
  ].filter(({ body }) => body !== '');
  const contentsList = sections.map(({ name, id }) => `<a href="#${id}">${name}</a>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<dl>${summary.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('')}</dl>
<nav aria-label="Contents">${contentsList}</nav>
</header>
<main>
${sections.map(({ name, id, body }) => `<section id="${id}"><h2>${name}</h2>${body}</section>`).join('\n')}
</main>
</body>
</html>
`;
}

const STYLE = `
:root { --ink: #1b1f24; --soft: #57606a; --line: #d7dbe0; --paper: #fff; --field: #f4f6f8; --bar: #4f7fe0; --link: #0b57d0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #a3acb7; --line: #363c45; --paper: #14171b; --field: #1f242a; --bar: #7ba2f0; --link: #9cc0ff }
  .charts svg, .charts img { filter: invert(.92) hue-rotate(180deg) }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1200px; margin: 1.5rem auto; padding: 0 1rem; overflow-wrap: break-word }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 0 0 1rem; padding-top: 1.5rem; border-bottom: 1px solid var(--line) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dt { color: var(--soft) } dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; border-block: 1px solid var(--line); padding: .5rem 0 } a { color: var(--link) }
.table { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
tr:hover td { background: var(--field) } th:first-child, td:first-child { text-align: left } .strong { font-weight: 600 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 1rem; align-items: start }
figure { margin: 0 0 1rem; min-width: 0 } img, svg { max-width: 100%; height: auto } figcaption { color: var(--soft); font-size: .9rem }
pre { background: var(--field); padding: 1rem; overflow-x: auto; font-size: .85rem } code { background: var(--field); padding: .1rem .3rem }
.track { display: inline-block; width: 160px; background: var(--field); vertical-align: middle; text-align: left } .bar { background: var(--bar); display: block; height: .7rem }
p { max-width: 46rem } p.note { color: var(--soft) } .big { font-size: 1.15rem }
`;

interface Section {
  readonly name: string;
  readonly id: string;
  readonly body: string;
}

function section(name: string, body: string): Section {
  return { name, id: name.toLowerCase(), body };
}

function grid(pictures: readonly string[]): string {
  if (pictures.length === 0) return '';
  return `<div class="charts">${pictures.map((picture) => `<figure>${picture}</figure>`).join('')}</div>`;
}

/** A plot out of a file, as an image: whatever else the file holds is not run. */
function plotImage(svg: string): string {
  const title = /aria-label="([^"]*)"/.exec(svg)?.[1] ?? 'plot';
  return `<img alt="${escape(title)}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
}

/** What the detector is made for. */
function tellingKind(evaluation: EvaluationRecord | undefined): IoUType | undefined {
  return mostTellingFirst(Object.keys(evaluation?.results ?? {}))[0] as IoUType | undefined;
}

type Report = KindReport['report'];

function thresholdAdvice({ best, macro, scoreThreshold }: Report, kind: IoUType): string {
  const what = kindInWords(kind);
  if (Number.isNaN(best.scoreThreshold)) {
    return `<p class="big">No detection of ${what} is right yet, so no score is better than another.</p>`;
  }
  const asked = best.scoreThreshold.toFixed(2);
  return `<p class="big">Take ${what} from a score of <strong>${asked}</strong> on: there F1, the balance of precision and recall,
is highest (${number(best.f1)} as a mean over classes).</p>
<p class="note">From ${scoreThreshold.toFixed(2)} on ${percent(macro.precision)} of what is shown is right, and ${percent(macro.recall)} of the objects are found;
a detection is right from an overlap of half. A higher score shows fewer errors and misses more. The pictures below are drawn from
it on. In the shell: <code>mask-rcnn predict photo.jpg --score-threshold ${asked}</code></p>`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function scoreTable({ results }: EvaluationRecord): string {
  const kinds = Object.entries(results).map(([kind, { stats }]) => {
    const names = statNames(kind as IoUType);
    return { kind, score: new Map(names.map((name, i) => [name, stats[i]])) };
  });
  const names = [...new Set(kinds.flatMap(({ score }) => [...score.keys()]))];
  const head = kinds.map(({ kind }) => `<th>${escape(kindInWords(kind))}</th>`).join('');
  const rows = names.map((name) => {
    const cells = kinds.map(({ score }) => `<td>${number(score.get(name))}</td>`).join('');
    return `<tr${name === 'AP' ? ' class="strong"' : ''}><td>${inWords(name)}</td>${cells}</tr>`;
  });
  return `<p class="note">COCO's numbers, from 0 to 1; a dash where there is nothing of that size to find.
AP is the mean over ten overlaps from 0.5 to 0.95, AP50 asks for an overlap of half; AR is the share of objects that were found.</p>
<div class="table"><table><tr><th></th>${head}</tr>${rows.join('')}</table></div>`;
}

/** `APs`: `AP small`; `AR10`: `AR 10`, the most detections that count. */
function inWords(name: string): string {
  const sizes: Readonly<Record<string, string>> = { s: 'small', m: 'medium', l: 'large' };
  return name
    .replace(/^(A[PR])([sml])$/, (_, short: string, size: string) => `${short} ${sizes[size]}`)
    .replace(/^AR(1|10|100)$/, 'AR $1');
}

/** The classes by what the detector is made for, best first, with a bar each. */
function classTable(evaluation: EvaluationRecord, report: Report | undefined): string {
  const kind = evaluation.results[tellingKind(evaluation)!];
  if (kind === undefined || kind.classes.length === 0) return '';
  const rates = new Map(report?.classes.map((each) => [each.name, each]));
  const row = ({ name, ap, ap50 }: KindRecord['classes'][number]): string => {
    const own = rates.get(name);
    const bar = `<span class="track"><span class="bar" style="width:${(100 * Math.min(1, Math.max(0, ap))).toFixed(1)}%"></span></span>`;
    const more = [own?.precision, own?.recall, own?.f1, own?.best.scoreThreshold].map((n) => `<td>${number(n)}</td>`);
    return `<tr><td>${escape(name)}</td><td>${bar}</td><td>${number(ap)}</td><td>${number(ap50)}</td>${
      report ? `${more.join('')}<td>${own?.support ?? '–'}</td>` : ''
    }</tr>`;
  };
  const best = kind.classes.toSorted((a, b) => b.ap - a.ap);
  const heads = report ? ['precision', 'recall', 'F1', 'best from score', 'objects'] : [];
  return `<div class="table"><table><tr><th>class</th>${['', 'AP', 'AP50', ...heads].map((head) => `<th>${head}</th>`).join('')}</tr>${best
    .map(row)
    .join('')}</table></div>${
    report
      ? `<p class="note">Precision, recall and F1 from a score of ${report.scoreThreshold.toFixed(2)} on; each class has its own best score in the last column but one.</p>`
      : ''
  }`;
}

function figure({ caption, webp }: ReportContents['pictures'][number]): string {
  const data = Buffer.from(webp).toString('base64');
  return `<figure><img alt="${escape(caption)}" src="data:image/webp;base64,${data}"><figcaption>${escape(caption)}</figcaption></figure>`;
}

function number(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) || value < 0 ? '–' : value.toFixed(3);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
