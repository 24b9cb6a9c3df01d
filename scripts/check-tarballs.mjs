// What users get: packs every package, installs the tarballs into an empty project outside the workspace, with install
// scripts on, an empty HOME and cache, and no host but the npm registry; imports every entry point in plain Node and
// requires it from CommonJS, takes a gradient with @rcnn/core alone, asks the command for its help and starts the engine.
// Then what the README tells to install, by itself: it must stay small.
//   node scripts/check-tarballs.mjs [node version …]     default: the running one, and 24
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { everything, must, nodeProgram, packAll, root, run, running, writeManifest } from './packed.mjs';

const versions = process.argv.length > 2 ? process.argv.slice(2) : [...new Set([running, '24'])];
const folder = mkdtempSync(join(tmpdir(), 'rcnn-tarballs-'));
const tarballFolder = join(folder, 'tarballs');
const project = join(folder, 'project');
mkdirSync(tarballFolder);
mkdirSync(project);

const packed = packAll(tarballFolder);
const { packages, native, tarballs } = packed;
const dependencies = everything(packed);
const registry = run('npm', ['config', 'get', 'registry'], root).output.trim().split('\n').at(-1);

/** As a newcomer does it, on a network that reaches the registry and nothing else. */
function install(into, wanted) {
  const home = join(folder, `home-${readdirSync(folder).length}`);
  mkdirSync(home);
  writeManifest(into, wanted);
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    USERPROFILE: home,
    npm_config_cache: join(home, 'cache'),
    npm_config_registry: registry,
    NODE_OPTIONS: `--require ${JSON.stringify(join(root, 'scripts', 'refuse-hosts.cjs'))}`,
    ONLY_HOSTS: new URL(registry).hostname,
    // For programs that are not Node: everything but the registry goes to a port where nobody listens.
    https_proxy: 'http://127.0.0.1:9',
    http_proxy: 'http://127.0.0.1:9',
    no_proxy: new URL(registry).hostname,
  };
  for (const name of ['NODE_EXTRA_CA_CERTS', 'npm_config_cafile', 'SystemRoot', 'APPDATA', 'TEMP']) {
    if (process.env[name] !== undefined) env[name] = process.env[name];
  }
  must('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], into, env);
}

console.log(`Installing ${packages.length} tarballs into an empty project, scripts on, from the registry alone …`);
install(project, dependencies);

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
    if (refusal !== undefined) continue;
    const required = `if (Object.keys(require('${specifier}')).length === 0) throw new Error('exports nothing');`;
    checks.push({ title: `require ${specifier}`, args: ['--input-type=commonjs', '-e', required] });
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
  title: 'the engine of @rcnn/tfjs-backend-onnxruntime, from its platform package alone',
  args: [
    '--input-type=module',
    '-e',
    `import '@rcnn/tfjs-backend-onnxruntime'; import * as tf from '@tensorflow/tfjs-core'; await tf.setBackend('onnxruntime');
const y = tf.conv2d(tf.ones([1, 3, 3, 2]), tf.ones([3, 3, 2, 1]), 1, 'valid').dataSync();
if (y[0] !== 18) throw new Error('a convolution gave ' + y);
const from = process.report.getReport().sharedObjects.filter((file) => file.includes('onnxruntime'));
if (!from.every((file) => file.includes('${native.manifest.name.split('/')[1]}'))) throw new Error(from.join());`,
  ],
});
checks.push({
  title: 'mask-rcnn --help',
  args: [join('node_modules', '@rcnn', 'cli', 'bin', 'mask-rcnn.js'), '--help'],
});

let passed = 0;
let failed = 0;
for (const version of versions) {
  const node = nodeProgram(version);
  for (const { title, args } of checks) {
    const { status, output } = run(node, args, project);
    if (status === 0) passed++;
    else {
      failed++;
      console.error(`FAILED on Node ${version}: ${title}\n${output}`);
    }
  }
}

/** What the README's line installs, with everything it brings. */
const MEGABYTES = 150;
const line = /^npm install (.*)$/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))[1].split(' ');
const small = join(folder, 'readme');
mkdirSync(small);
const byName = new Map(packages.map(({ manifest }) => [manifest.name, manifest]));
const closure = new Map([[native.manifest.name, tarballs.get(native.manifest.name)]]);
const visit = (name) => {
  const manifest = byName.get(name);
  if (closure.has(name)) return;
  closure.set(name, tarballs.get(name) ?? dependencies[name]);
  for (const next of Object.keys(manifest?.dependencies ?? {})) if (byName.has(next)) visit(next);
};
for (const name of line) visit(name);
install(small, Object.fromEntries(closure));
const size = sizeOf(join(small, 'node_modules')) / 1e6;
console.log(`'npm install ${line.join(' ')}' takes ${size.toFixed(0)} MB.`);
if (size <= MEGABYTES) passed++;
else {
  failed++;
  console.error(`FAILED: more than ${MEGABYTES} MB`);
}

function sizeOf(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

rmSync(folder, { recursive: true, force: true });
console.log(`Tarballs on Node ${versions.join(' and ')}:\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
