// The methods beside each other: each small architecture trains from nothing for the same steps on the same generated
// pictures, in a process of its own, and is measured on the same others. Writes family.md and family.svg into the folder;
// called again, it goes on with what is not there yet. With --docs the table and the chart go into docs/ too, where rows of
// methods that were not measured into this folder stay as they are.
//   npm run bench -- family [--only yolact_small,solov2_small] [--epochs 5] [--scene gentle|usual] [--engine onnxruntime]
//     [--out runs/family] [--docs]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectures } from '@rcnn/models';
import { benchOptions, machine } from '@rcnn/shared/bench';
import { renderChart } from '../src/report/charts.ts';
import { chartOf } from './family/chart.ts';
import { measured, type Task } from './family/measured.ts';
import { rowsOfPage } from './family/page.ts';
import { drawnPictures, isScene } from './family/pictures.ts';
import { asMarkdown, type Row } from './family/table.ts';

const [flag, asked] = process.argv.slice(2);
if (flag === '--measure') {
  const task = JSON.parse(asked!) as Task;
  writeFileSync(task.file, `${JSON.stringify(await measured(task), undefined, 2)}\n`);
  process.exit(0);
}

const { only, epochs, scene, engine, out, docs } = benchOptions({
  only: { type: 'string' },
  epochs: { type: 'string', default: '5' },
  scene: { type: 'string', default: 'gentle' },
  engine: { type: 'string', default: 'onnxruntime' },
  out: { type: 'string', default: 'runs/family' },
  docs: { type: 'boolean', default: false },
});
if (!isScene(scene)) {
  console.error(`There is no scene '${scene}': gentle or usual.`);
  process.exit(2);
}
const small = architectures.map(({ name }) => name).filter((name) => name.endsWith('_small'));
mkdirSync(out, { recursive: true });
const rows: Row[] = [];
for (const arch of small) {
  const file = join(out, `${arch}.json`);
  const isWanted = only === undefined || only.split(',').includes(arch);
  if (isWanted && !existsSync(file)) {
    const data = await drawnPictures(out, arch, scene);
    measureInAProcess({ arch, data, engine, epochs: Number(epochs), folder: join(out, arch), file });
  }
  if (existsSync(file)) rows.push(JSON.parse(readFileSync(file, 'utf8')) as Row);
}
const facts = { scene, epochs: Number(epochs), engine };
const table = asMarkdown(rows, { ...facts, missing: missing(rows), machine: machine() });
writeFileSync(join(out, 'family.md'), table);
writeFileSync(join(out, 'family.svg'), await drawn(rows));
if (docs) await writeDocs();
console.log(table);

/** Between the marks of the page, and beside its other pictures. */
async function writeDocs(): Promise<void> {
  const folder = fileURLToPath(new URL('../../../docs/', import.meta.url));
  const page = join(folder, 'family.md');
  const picture = '![Four measures of the masks of each method, and mask AP against time](pictures/family.svg)';
  const marked = /(<!-- table -->\n)[\s\S]*(<!-- \/table -->)/;
  const text = readFileSync(page, 'utf8');
  const all = [...rows, ...rowsOfPage(text)];
  const shown = small.flatMap((arch) => all.find((row) => row.arch === arch) ?? []);
  const table = asMarkdown(shown, { ...facts, missing: missing(shown) });
  writeFileSync(page, text.replace(marked, (_, begin: string, end: string) => `${begin}\n${picture}\n\n${table}\n${end}`)); // biome-ignore format: one line
  writeFileSync(join(folder, 'pictures', 'family.svg'), await drawn(shown));
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
