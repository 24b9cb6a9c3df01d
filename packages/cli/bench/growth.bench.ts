/**
 * How cost grows: time and peak memory of a prediction against pixels and against the objects that are found, and of an
 * evaluation against detections, with the exponents fitted. Ends with an error if one of them is above 1.1, or the
 * growth from the last size but one to the last.
 *
 *   npm run bench -- growth [--only pixels,detections,boxes,masks] [--runs 3] [--threads 1] [--json FILE] [--docs]
 *
 * Every size has a process of its own. Medians of so many runs; a prediction runs once more before, unmeasured. The
 * network has random weights; so that exactly as many objects are found as wanted, every class of every proposal counts
 * as found, and the best of them are kept. With --docs the table goes into docs/numbers.md. A million detections with
 * their masks take 0.5 GB of the folder for temporary files, and are kept there for the next run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchOptions, machine, processor } from '@rcnn/shared/bench';
import { series } from './growth/series.ts';
import { asMarkdown, growthsOf, type Measured } from './growth/table.ts';

/** What counts as growing in proportion. */
const BOUND = 1.1;

const { only, runs, threads, json, docs } = benchOptions({
  only: { type: 'string' },
  runs: { type: 'string', default: '3' },
  threads: { type: 'string', default: '1' },
  json: { type: 'string' },
  docs: { type: 'boolean', default: false },
});
const names = only?.split(',') ?? Object.keys(series);
const unknown = names.filter((name) => !Object.hasOwn(series, name));
if (unknown.length > 0) refuse(`--only knows ${Object.keys(series).join(', ')}; not ${unknown.join(', ')}.`);
if (docs && only !== undefined) refuse('--docs wants the whole table, and no --only.');
for (const [name, value] of Object.entries({ runs, threads })) {
  if (!/^[1-9]\d*$/.test(value)) refuse(`--${name} ${value}: a whole number of 1 or more.`);
}

const how = { runs: Number(runs), threads: Number(threads) };
console.log(`${threads === '1' ? 'one thread' : `${threads} threads`}, medians of ${runs} runs`);
const all = names.map((name) => measured(name));
const table = asMarkdown(all);
console.log(`\n${table}`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine: machine(), ...how, all }, undefined, 2)}\n`);
if (docs) renewPage();
const steep = all.flatMap(steepOf);
console.log(steep.length === 0 ? `No exponent is above ${BOUND}.` : `Above ${BOUND}: ${steep.join(', ')}.`);
process.exitCode = steep.length === 0 ? 0 : 1;

/** The last step counts beside the whole: what is constant hides growth among small sizes. */
function steepOf(one: Measured): string[] {
  return Object.entries(growthsOf(one)).flatMap(([what, { exponent, steps }]) => {
    const steepest = Math.max(exponent, steps.at(-1)!);
    return steepest > BOUND ? [`${what} of '${one.series.title}' (${steepest.toFixed(2)})`] : [];
  });
}

function measured(name: string): Measured {
  const one = series[name]!;
  const samples = one.sizes.map((size) => {
    const sample = one.measure(size, how);
    const { seconds, cpu, peakBytes } = sample;
    const peak = (peakBytes / 2 ** 20).toFixed(0);
    console.log(`  ${name} ${one.says(size)}: ${seconds.toFixed(2)} s, CPU ${cpu.toFixed(2)} s, peak ${peak} MiB`);
    return sample;
  });
  return { series: one, samples };
}

/** Between the marks of its table. */
function renewPage(): void {
  const page = fileURLToPath(new URL('../../../docs/numbers.md', import.meta.url));
  const text = readFileSync(page, 'utf8');
  const marked = /(<!-- growth: [^\n]* -->\n)[\s\S]*?(<!-- \/growth -->)/;
  if (!marked.test(text)) throw new Error('docs/numbers.md has no place for the table of growth.');
  const seen = `Seen on ${processor()}, Node ${process.version}, ${threads === '1' ? 'one thread' : `${threads} threads`}.`;
  writeFileSync(
    page,
    text.replace(marked, (_, begin: string, end: string) => `${begin}\n${seen}\n\n${table}\n\n${end}`),
  );
}

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
