// The table of the README, measured again:
//   npm run bench -- all [--python PATH] [--json FILE] [--readme] [--only NAME,NAME]
//   npm run bench -- all --from FILE,FILE [--readme]
// Runs the benchmarks that it is made of one after the other, prints their lines as a table and writes them to FILE; with
// --readme, which wants them all and their peers, the tables of README.md and docs/numbers.md are replaced. PATH is a Python that has the peers (torch, torchvision, pycocotools …).
// --from measures nothing: it takes what earlier runs wrote by --json on this kind of machine, of each benchmark the last.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where a benchmark is, its options, and which of its lines the table has: all, if it is not said. */
const BENCHMARKS = {
  model: { folder: 'two-stage', options: [] },
  compile: { folder: 'onnx', options: [] },
  ops: { folder: 'two-stage', options: [], lines: /RoIAlign.*forward(?! and)/ },
  engines: { folder: 'cli', options: ['--engines', 'onnxruntime', '--only', '3x3'], lines: /^convolution/ },
  'coco-eval': { folder: 'coco-eval', options: ['--small'], lines: /from files/ },
  data: { folder: 'coco-data', options: [] },
  checkpoint: { folder: 'checkpoint', options: [] },
};

/** Where the table stands. */
const PAGES = ['README.md', join('docs', 'numbers.md')];
const [START, END] = ['<!-- figures: npm run bench -- all --python PATH --readme -->', '<!-- /figures -->'];

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

function optionsOf() {
  const options = {
    python: { type: 'string' },
    json: { type: 'string' },
    readme: { type: 'boolean', default: false },
    from: { type: 'string' },
    only: { type: 'string', default: Object.keys(BENCHMARKS).join() },
  };
  try {
    const { values } = parseArgs({ options });
    const names = values.only.split(',');
    const unknown = names.filter((name) => !Object.hasOwn(BENCHMARKS, name));
    if (unknown.length > 0) fail(`--only knows ${Object.keys(BENCHMARKS).join(', ')}; not ${unknown.join(', ')}.`);
    const isPart = values.only !== options.only.default;
    if (values.readme && (isPart || (values.python === undefined && values.from === undefined))) {
      fail('--readme wants the whole table: give --python PATH or --from FILE,FILE, and no --only.');
    }
    if (values.python !== undefined && !existsSync(values.python)) fail(`--python: there is no ${values.python}.`);
    return { ...values, names };
  } catch (error) {
    return fail(
      `${error.message.split('. ')[0]}. Options: ${Object.keys(options)
        .map((name) => `--${name}`)
        .join(', ')}.`,
    );
  }
}

/** Runs one benchmark and gives its machine and its lines. */
function measure(name, python) {
  const { folder, options, lines = /./ } = BENCHMARKS[name];
  const collected = join(mkdtempSync(join(tmpdir(), 'rcnn-figures-')), 'figures');
  const file = join(root, 'packages', folder, 'bench', `${name}.bench.ts`);
  const args = [
    '--expose-gc',
    '--import',
    'tsx',
    file,
    ...options,
    ...(python === undefined ? [] : ['--python', python]),
  ];
  console.error(`› ${name} …`);
  try {
    const { status, stdout } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, RCNN_BENCH_FIGURES: collected },
    });
    if (status !== 0) return { name, machine: undefined, failed: true, figures: [] };
    const rows = existsSync(collected) ? readFileSync(collected, 'utf8').trim().split('\n') : [];
    const figures = rows.map((row) => JSON.parse(row)).filter(({ work }) => lines.test(work));
    return { name, machine: stdout.split('\n', 1)[0], failed: false, figures };
  } finally {
    rmSync(join(collected, '..'), { recursive: true, force: true });
  }
}

/** What earlier runs wrote: of each benchmark that of the last file which has it. */
function measuredBefore(files, names) {
  const runs = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const machines = [...new Set(runs.map(({ machine }) => withoutLoad(machine)))];
  if (machines.length > 1) fail(`--from: these are of different machines: ${machines.join('; ')}.`);
  return names.map((name) => {
    const found = runs.flatMap(({ results }) => results).findLast((result) => result.name === name && !result.failed);
    return found ?? fail(`--from: none of ${files.join(', ')} has ${name}.`);
  });
}

const withoutLoad = (machine) => machine.replace(/, load .*$/, '');

/** How much faster ours is, from numbers of one unit. */
function speed(ours, peer) {
  const more = ours.unit === 'per s' || ours.unit === 'GFLOPS'; // more is better
  const factor = more ? ours.value / peer.value : peer.value / ours.value;
  return `${factor.toFixed(factor < 10 ? 1 : 0)}x`;
}

function tableOf(results) {
  const rows = results.flatMap(({ name, figures }) =>
    figures.map(({ work, ours, peers }) => [
      `${work} (\`${name}\`)`,
      ours.says,
      peers.map((peer) => `${peer.who} ${peer.says} (${speed(ours, peer)})`).join('; ') || '–',
    ]),
  );
  const titles = ['Work', 'Ours', 'Peer (how many times faster ours is)'];
  const widths = titles.map((title, k) => Math.max(title.length, ...rows.map((row) => row[k].length)));
  const line = (cells) => `| ${cells.map((cell, k) => cell.padEnd(widths[k])).join(' | ')} |`;
  return [line(titles), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Puts the table into a page, in place of the one that stands there. */
function renew(page) {
  const file = join(root, page);
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(START), text.indexOf(END)];
  if (from < 0 || to < from) fail(`${page} has no place for the table.`);
  const said = withoutLoad(machine);
  writeFileSync(file, `${text.slice(0, from + START.length)}\n\nSeen on ${said}.\n\n${table}\n\n${text.slice(to)}`);
}

const { python, json, readme, from, names } = optionsOf();
const results =
  from === undefined ? names.map((name) => measure(name, python)) : measuredBefore(from.split(','), names);
const machine = results.find((result) => result.machine !== undefined)?.machine ?? 'unknown machine';
const table = tableOf(results);
console.log(`${machine}\n\n${table}`);
if (json !== undefined) {
  writeFileSync(json, `${JSON.stringify({ measured: new Date().toISOString(), machine, results }, null, 2)}\n`);
}
const failed = results.filter((result) => result.failed).map(({ name }) => name);
if (failed.length > 0) console.error(`These ended with an error, and their lines are missing: ${failed.join(', ')}.`);
else if (readme) for (const page of PAGES) renew(page);
process.exitCode = failed.length > 0 ? 1 : 0;
