import { type IoUType, statNames } from '@rcnn/coco-eval';
import { kindInWords, mostTellingFirst } from '../loop/kinds.ts';
import type { EvaluationRecord, KindRecord } from '../loop/records.ts';

/** Everything that a report shows. Pictures and curves are inside the page: one file can be mailed and kept. */
export interface ReportContents {
  readonly title: string;
  /** One line under the title: what, on what, how long. */
  readonly summary: readonly (readonly [name: string, value: string])[];
  /** SVG text. */
  readonly charts: readonly string[];
  readonly evaluation: EvaluationRecord | undefined;
  /** WebP bytes. */
  readonly pictures: readonly { readonly caption: string; readonly webp: Uint8Array }[];
  readonly config: string;
  readonly environment: Readonly<Record<string, unknown>>;
}

/** A page without scripts or links: everything it needs is in it. */
export function reportHtml(contents: ReportContents): string {
  const { title, summary, charts, evaluation, pictures, config, environment } = contents;
  const parts = [
    `<h1>${escape(title)}</h1>`,
    `<dl>${summary.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('')}</dl>`,
    section('Scores', evaluation === undefined ? '' : scoreTable(evaluation)),
    section(
      'Curves',
      charts.length === 0 ? '' : `<div class="charts">${charts.map((svg) => `<figure>${svg}</figure>`).join('')}</div>`,
    ),
    section('Classes', evaluation === undefined ? '' : classTable(evaluation)),
    section('Pictures', pictures.map(figure).join('')),
    section('Options', `<pre>${escape(config)}</pre>`),
    section('Environment', `<pre>${escape(JSON.stringify(environment, null, 2))}</pre>`),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.filter((part) => part !== '').join('\n')}
</body>
</html>
`;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #d7dbe0 }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem } dt { color: #57606a } dd { margin: 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #e6e9ed }
th:first-child, td:first-child { text-align: left } .strong { font-weight: 600 }
.charts { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0 0 1rem } img, svg { max-width: 100%; height: auto }
figcaption { color: #57606a; font-size: .9rem } pre { background: #f4f6f8; padding: 1rem; overflow-x: auto; font-size: .85rem }
.bar { background: #dbe7ff; display: inline-block; height: .7rem; vertical-align: middle }
p.note { color: #57606a; max-width: 46rem }
`;

function section(title: string, body: string): string {
  return body === '' ? '' : `<section><h2>${title}</h2>${body}</section>`;
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
<table><tr><th></th>${head}</tr>${rows.join('')}</table>`;
}

/** `APs`: `AP small`; `AR10`: `AR 10`, the most detections that count. */
function inWords(name: string): string {
  const sizes: Readonly<Record<string, string>> = { s: 'small', m: 'medium', l: 'large' };
  return name
    .replace(/^(A[PR])([sml])$/, (_, short: string, size: string) => `${short} ${sizes[size]}`)
    .replace(/^AR(1|10|100)$/, 'AR $1');
}

/** The classes by what the detector is made for. */
function classTable({ results }: EvaluationRecord): string {
  const [first] = mostTellingFirst(Object.keys(results));
  const kind = results[first as IoUType];
  if (kind === undefined || kind.classes.length === 0) return '';
  const row = ({ name, ap, ap50 }: KindRecord['classes'][number]): string =>
    `<tr><td>${escape(name)}</td><td>${number(ap)}</td><td>${number(ap50)}</td><td><span class="bar" style="width:${Math.max(0, ap) * 160}px"></span></td></tr>`;
  const best = kind.classes.toSorted((a, b) => b.ap - a.ap);
  return `<table><tr><th>class</th><th>AP</th><th>AP50</th><th></th></tr>${best.map(row).join('')}</table>`;
}

function figure({ caption, webp }: ReportContents['pictures'][number]): string {
  const data = Buffer.from(webp).toString('base64');
  return `<figure><img alt="${escape(caption)}" src="data:image/webp;base64,${data}"><figcaption>${escape(caption)}</figcaption></figure>`;
}

function number(value: number | undefined): string {
  return value === undefined || value < 0 ? '–' : value.toFixed(3);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
