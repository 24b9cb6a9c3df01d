// What the READMEs and pages show, tried as a reader would: compiled by TypeScript 5.9 and 7 with what `tsc --init` writes,
// as ES modules and as CommonJS, and run on each Node, from the packed tarballs.
//   node scripts/check-snippets.mjs [node version …] [--only TEXT] [--quick]     default: the running one, and 24
// With --quick, as in .ci/run, all are compiled both ways and run once: on the running Node, as ES modules. That packages can
// be required from CommonJS on every Node is seen by check-tarballs.mjs.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { everything, must, nodeProgram, packAll, root, run, running, start, writeManifest } from './packed.mjs';
import { asCommonJS, asModule, snippets } from './snippets.mjs';

const { only, quick, versions } = wanted();

function wanted() {
  const options = { only: { type: 'string', default: '' }, quick: { type: 'boolean', default: false } };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const usual = values.quick ? [running] : [...new Set([running, '24'])];
    return { ...values, versions: positionals.length > 0 ? positionals : usual };
  } catch (error) {
    console.error(`${error.message.split('. ')[0]}. Options: versions of Node, --only TEXT, --quick.`);
    return process.exit(2);
  }
}

const COMPILERS = { 5.9: 'typescript-5', 7: 'typescript-7' };
const TOOLS = {
  'typescript-5': 'npm:typescript@5.9.3',
  'typescript-7': 'npm:typescript@7.0.2',
  '@types/node': '^20.19.0',
  '@tensorflow/tfjs-layers': '4.22.0',
  '@tensorflow/tfjs-backend-wasm': '4.22.0',
  '@tensorflow/tfjs-backend-webgl': '4.22.0',
  '@tensorflow/tfjs-backend-webgpu': '4.22.0',
  'onnxruntime-web': '1.30.0',
  vitest: '4.1.12',
};

/** What stands in for downloads and for long trainings when a snippet runs. */
const STAND_INS = [
  [/(\bload\)?|loadDetector\)?|loadPretrained\)?)\('maskrcnn_resnet50_fpn'\)/g, "$1('small.safetensors')"],
  [/preset: 'torchvision'/g, "preset: 'quick'"],
  [/\bepochs: (12|20)\b/g, 'epochs: 1'],
  [/\bepochs: 24\b/g, 'epochs: 2'],
];

/** The files that snippets read, small. */
const FILES = `
import { torchvisionProfile, stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { writeFileSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { maskRcnnSmall } from 'mask-rcnn';
import { useEngine } from 'mask-rcnn';

await useEngine('onnxruntime');
await sharp({ create: { width: 96, height: 64, channels: 3, background: { r: 200, g: 90, b: 40 } } }).jpeg().toFile('photo.jpg');
await writeShapes('path/to/coco', { splits: { train: 4, val: 2 } });
const model = maskRcnnSmall({ numClasses: 91 });
const profile = torchvisionProfile({ source: 'a small one', numClasses: 91, architecture: 'maskrcnn_small' });
const weights = await stateDict(model);
await saveCheckpoint('small.safetensors', { weights: weights.values(), profile });
const truth = {
  images: [{ id: 1, width: 20, height: 10, file_name: '1.jpg' }],
  categories: [{ id: 1, name: 'square' }],
  annotations: [{ id: 1, image_id: 1, category_id: 1, iscrowd: 0, area: 16, bbox: [2, 2, 4, 4], segmentation: [[2, 2, 6, 2, 6, 6, 2, 6]] }],
};
writeFileSync('instances_val2017.json', JSON.stringify(truth));
const [{ segmentation, bbox }] = truth.annotations;
const { Mask } = await import('@rcnn/masks');
writeFileSync('results.json', JSON.stringify([{ image_id: 1, category_id: 1, bbox, score: 0.9, segmentation: Mask.fromPolygons(segmentation, [10, 20]).rle() }]));
`;

const folder = mkdtempSync(join(tmpdir(), 'rcnn-snippets-'));
const tarballFolder = join(folder, 'tarballs');
const project = join(folder, 'project');
const files = join(folder, 'files');
for (const path of [tarballFolder, project, files]) mkdirSync(path);
writeManifest(project, { ...everything(packAll(tarballFolder)), ...TOOLS });
must('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], project);
writeFileSync(join(project, 'files.mjs'), FILES);
must(process.execPath, [join(project, 'files.mjs')], files);

const all = snippets(root).filter(({ page }) => page.includes(only));
if (all.length === 0) throw new Error(`no page has a snippet${only === '' ? '' : ` whose name holds ${only}`}`);
let passed = 0;
let failed = 0;

function count(problem, title) {
  if (problem === '') passed++;
  else {
    failed++;
    console.error(`FAILED: ${title}\n${problem}`);
  }
}

/** Two folders of the project, in which the same snippets are written both ways. */
const formats = {
  esm: { type: 'module', write: asModule, options: {} },
  // CommonJS with `import` needs one line of what --init writes taken out, as TypeScript itself says.
  cjs: { type: 'commonjs', write: asCommonJS, options: { verbatimModuleSyntax: false } },
};

function fileOf({ page, line, source }) {
  const name = `${page.replaceAll(/[^\w-]+/g, '-')}-${line}`;
  return source.includes("'vitest'") ? `${name}.test` : name;
}

for (const [format, { type, write, options }] of Object.entries(formats)) {
  const here = join(project, format);
  mkdirSync(here);
  writeFileSync(join(here, 'package.json'), JSON.stringify({ type }));
  for (const snippet of all) writeFileSync(join(here, `${fileOf(snippet)}.ts`), write(snippet));
  for (const [version, compiler] of Object.entries(COMPILERS)) {
    const tsc = [process.execPath, join(project, 'node_modules', compiler, 'bin', 'tsc')];
    rmSync(join(here, 'tsconfig.json'), { force: true });
    must(tsc[0], [tsc[1], '--init'], here);
    writeFileSync(
      join(here, 'tsconfig.snippets.json'),
      // As the file itself says of Node: "types": ["node"].
      JSON.stringify({
        extends: './tsconfig.json',
        compilerOptions: { types: ['node'], noEmit: version === '7', ...options },
        include: ['*.ts'],
      }),
    );
    const { output } = run(tsc[0], [tsc[1], '-p', 'tsconfig.snippets.json', '--pretty', 'false'], here);
    const blocks = output.split(/\n(?=\S)/).filter((block) => block.trim() !== '');
    for (const snippet of all) {
      const problem = blocks.filter((block) => block.startsWith(`${fileOf(snippet)}.ts(`)).join('\n');
      count(problem, `${snippet.page}:${snippet.line} with TypeScript ${version}, ${format}`);
    }
    const others = blocks.filter((block) => !all.some((snippet) => block.startsWith(`${fileOf(snippet)}.ts(`)));
    if (others.length > 0) count(others.join('\n'), `TypeScript ${version}, ${format}`);
  }
}

const jobs = [];
for (const version of versions) {
  const node = nodeProgram(version);
  for (const format of quick ? ['esm'] : Object.keys(formats)) {
    for (const snippet of all) {
      const test = fileOf(snippet).endsWith('.test');
      if (snippet.notRun !== undefined || (test && format === 'cjs')) continue; // vitest itself is no CommonJS
      jobs.push({ snippet, format, version, node, test });
    }
  }
}

async function tryOne({ snippet, format, version, node, test }) {
  const file = `${fileOf(snippet)}.js`;
  const here = join(project, 'runs', `${version}-${format}-${fileOf(snippet)}`);
  cpSync(files, here, { recursive: true });
  const compiled = join(project, format, file);
  const code = STAND_INS.reduce((text, [from, to]) => text.replaceAll(from, to), readFileSync(compiled, 'utf8'));
  const standing = join(project, format, `${version}-${file}`);
  writeFileSync(standing, code);
  const vitest = [join(project, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', project, '--testTimeout=0'];
  const command = test ? [...vitest, `${format}/${version}-${file}`] : [standing];
  const { status, output } = await start(node, command, here);
  count(status === 0 ? '' : output, `${snippet.page}:${snippet.line} on Node ${version}, ${format}`);
}

async function worker() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await tryOne(job);
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));

const notRun = all.filter((snippet) => snippet.notRun !== undefined);
for (const { page, line, notRun: reason } of notRun) console.log(`${page}:${line} is compiled and not run: ${reason}`);
rmSync(folder, { recursive: true, force: true });
console.log(`${all.length} snippets, ${notRun.length} of them not run, on Node ${versions.join(' and ')}:`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
