// The methods beside each other: each small architecture trains from nothing for the same steps on the same generated
// pictures, in a process of its own, and is measured on the same others. Writes family.md and family.svg into the folder;
// called again, it goes on with what is not there yet. With --docs the table goes into docs/family.md too, where rows of
// methods that were not measured into this folder stay as they are; that of gentle shapes with its chart.
//   npm run bench -- family [--only yolact_small,solov2_small] [--epochs 5] [--scene gentle|usual] [--engine onnxruntime]
//     [--out runs/family] [--docs]
// Or on photographs of one's own, a dataset with the splits train and val, smaller side so many pixels:
//   npm run bench -- family --data ../photos/balloon --side 192 --epochs 40 --out runs/family-balloon
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectures } from '@rcnn/models';
import { benchOptions, machine } from '@rcnn/shared/bench';
import { renderChart } from '../src/report/charts.ts';
import { chartOf } from './family/chart.ts';
import { measured, type Task } from './family/measured.ts';
import { rowsOfPage } from './family/page.ts';
import { countedPictures, drawnPictures, isFigures, isScene } from './family/pictures.ts';
import { asMarkdown, type Row } from './family/table.ts';

const CHART = '![Four measures of the masks of each method, and mask AP against time](pictures/family.svg)';

const [flag, asked] = process.argv.slice(2);
if (flag === '--measure') {
  const task = JSON.parse(asked!) as Task;
  writeFileSync(task.file, `${JSON.stringify(await measured(task), undefined, 2)}\n`);
  process.exit(0);
}

const { only, epochs, scene, data, side, engine, out, docs } = benchOptions({
  only: { type: 'string' },
  epochs: { type: 'string', default: '5' },
  scene: { type: 'string', default: 'gentle' },
  data: { type: 'string' },
  side: { type: 'string' },
  engine: { type: 'string', default: 'onnxruntime' },
  out: { type: 'string', default: 'runs/family' },
  docs: { type: 'boolean', default: false },
});
if (!isScene(scene)) {
  console.error(`There is no scene '${scene}': gentle or usual.`);
  process.exit(2);
}
// Photographs of objects have no key points.
const small = architectures
  .map(({ name }) => name)
  .filter((name) => name.endsWith('_small') && (data === undefined || !isFigures(name)));
mkdirSync(out, { recursive: true });
const picturesFor = async (arch: string): Promise<string> =>
  data === undefined ? drawnPictures(out, arch, scene) : resolve(data);
const rows: Row[] = [];
for (const arch of small) {
  const file = join(out, `${arch}.json`);
  const isWanted = only === undefined || only.split(',').includes(arch);
  if (isWanted && !existsSync(file)) {
    const task = { arch, data: await picturesFor(arch), engine, epochs: Number(epochs), folder: join(out, arch), file };
    measureInAProcess(side === undefined ? task : { ...task, side: Number(side) });
  }
  if (existsSync(file)) rows.push(JSON.parse(readFileSync(file, 'utf8')) as Row);
}
const name = data === undefined ? scene : basename(resolve(data));
const kind = data === undefined ? `${scene} shapes; for key points stick figures` : `${name}, ${side ?? 128} pixels`;
const facts = { pictures: await countedPictures(await picturesFor('maskrcnn_small'), kind), engine };
const table = asMarkdown(rows, { ...facts, missing: missing(rows), machine: machine() });
writeFileSync(join(out, 'family.md'), table);
writeFileSync(join(out, 'family.svg'), await drawn(rows));
if (docs) await writeDocs();
console.log(table);

/** Between the marks of its pictures; the chart of gentle shapes beside the other pictures of the page. */
async function writeDocs(): Promise<void> {
  const folder = fileURLToPath(new URL('../../../docs/', import.meta.url));
  const page = join(folder, 'family.md');
  const text = readFileSync(page, 'utf8');
  const marked = new RegExp(`(<!-- table ${name} -->\n)([\\s\\S]*?)(<!-- /table ${name} -->)`);
  const before = marked.exec(text)?.[2];
  if (before === undefined)
    throw new Error(`docs/family.md has no place for a table of ${name}: <!-- table ${name} -->`);
  const all = [...rows, ...rowsOfPage(before)];
  const shown = small.flatMap((arch) => all.find((row) => row.arch === arch) ?? []);
  const isMain = name === 'gentle';
  const table = asMarkdown(shown, { ...facts, missing: missing(shown), isAlone: !isMain });
  const chart = isMain ? `${CHART}\n\n` : '';
  writeFileSync(
    page,
    text.replace(marked, (_, begin: string, __, end: string) => `${begin}\n${chart}${table}\n${end}`),
  );
  if (isMain) writeFileSync(join(folder, 'pictures', 'family.svg'), await drawn(shown));
}

async function drawn(shown: readonly Row[]): Promise<string> {
  return `${await renderChart(chartOf(shown))}\n`;
}

function missing(shown: readonly Row[]): string[] {
  return small.filter((arch) => shown.every((row) => row.arch !== arch));
}

/** A process of its own: its peak of memory and its processor's time are those of one method. */
function measureInAProcess(task: Task): void {
  const script = fileURLToPath(import.meta.url);
  const options = ['--import', 'tsx', script, '--measure', JSON.stringify(task)];
  const { status } = spawnSync(process.execPath, options, { stdio: 'inherit' });
  if (status !== 0) console.error(`${task.arch}: the process ended with status ${status}; call again to go on.`);
}
