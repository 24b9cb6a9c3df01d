// What users get: packs every package, installs the tarballs into an empty project outside the workspace, imports
// every entry point in plain Node, takes a gradient with @rcnn/core alone and asks the command for its help.
//   node scripts/check-tarballs.mjs [node version …]     default: the running one, and 24
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const running = process.version.slice(1).split('.')[0];
const versions = process.argv.length > 2 ? process.argv.slice(2) : [running, '24'];
const folder = mkdtempSync(join(tmpdir(), 'rcnn-tarballs-'));
const tarballs = join(folder, 'tarballs');
const project = join(folder, 'project');
mkdirSync(tarballs);
mkdirSync(project);

function run(program, args, cwd) {
  const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` };
  const result = spawnSync(program, args, { cwd, encoding: 'utf8', env, shell: process.platform === 'win32' });
  return { status: result.status ?? 1, output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}` };
}

function must(program, args, cwd) {
  const { status, output } = run(program, args, cwd);
  if (status !== 0) {
    console.error(`${program} ${args.join(' ')} ended with status ${status}:\n${output}`);
    process.exit(1);
  }
}

const packages = readdirSync(join(root, 'packages')).map((name) => {
  const path = join(root, 'packages', name);
  return { path, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) };
});
for (const { path } of packages) must('pnpm', ['pack', '--pack-destination', tarballs], path);

const dependencies = { '@tensorflow/tfjs-core': '4.22.0', '@tensorflow/tfjs-backend-cpu': '4.22.0' };
for (const { manifest } of packages) {
  const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
  dependencies[manifest.name] = `file:${join(tarballs, file)}`;
  // Optional peers that an entry point needs to be loaded at all are what its README tells the user to install.
  for (const peer of ['sharp', '@napi-rs/canvas']) {
    const wanted = manifest.peerDependencies?.[peer];
    if (wanted !== undefined) dependencies[peer] = wanted;
  }
}
writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }, null, 2));
console.log(`Installing ${packages.length} tarballs into an empty project …`);
must('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], project);

/** Entries that refuse to load without something that is not installed here, and the code with which they say so. */
const refusals = { '@rcnn/tfjs-tensorflow/register': 'ENGINE_MISSING' };

const checks = [];
for (const { manifest } of packages) {
  for (const [entry, target] of Object.entries(manifest.exports)) {
    // Entries for test runners import the runner of the user's choice.
    if (typeof target === 'string' || (entry === './testing' && manifest.peerDependencies?.vitest)) continue;
    const specifier = manifest.name + entry.slice(1);
    const refusal = refusals[specifier];
    const code =
      refusal === undefined
        ? `const m = await import('${specifier}'); if (Object.keys(m).length === 0) throw new Error('exports nothing');`
        : `await import('${specifier}').then(() => { throw new Error('loaded'); }, (error) => { if (error.code !== '${refusal}') throw error; });`;
    checks.push({ title: `import ${specifier}`, args: ['--input-type=module', '-e', code] });
  }
}
writeFileSync(
  join(project, 'gradient.mjs'),
  `import '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

const gradient = tf.grad((x) => tf.sum(tf.square(x)));
const values = Array.from(gradient(tf.tensor1d([1, 2, 3])).dataSync());
if (values.join() !== '2,4,6') throw new Error('wrong gradient: ' + values);
`,
);
checks.push({ title: 'tf.grad after importing @rcnn/core', args: ['gradient.mjs'] });
checks.push({
  title: 'mask-rcnn --help',
  args: [join('node_modules', '@rcnn', 'cli', 'bin', 'mask-rcnn.js'), '--help'],
});

let passed = 0;
let failed = 0;
for (const version of versions) {
  for (const { title, args } of checks) {
    const { status, output } =
      version === running
        ? run(process.execPath, args, project)
        : run('npx', ['-y', '-p', `node@${version}`, 'node', ...args], project);
    if (status === 0) passed++;
    else {
      failed++;
      console.error(`FAILED on Node ${version}: ${title}\n${output}`);
    }
  }
}
rmSync(folder, { recursive: true, force: true });
console.log(`Tarballs on Node ${versions.join(' and ')}:\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
