// Whether a server that was bundled finds its engine: one small program, from the packed tarballs, through every bundler
// and runtime that npm serves. Writes the table of docs/servers.md; by hand, because it installs some 800 MB:
//   node scripts/check-bundlers.mjs [part of a name …]     without one all; rows of the others stay as they are
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { everything, packAll, root, run, start, writeManifest } from './packed.mjs';

const PROGRAM = `
import { maskRcnnSmall, useEngine } from 'mask-rcnn';

export async function predict() {
  const { name } = await useEngine('auto');
  const model = maskRcnnSmall({ numClasses: 3 });
  const image = { data: new Uint8Array(64 * 64 * 3).fill(90), width: 64, height: 64, channels: 3 };
  const [found] = await model.detect([image]);
  model.dispose();
  return \`\${name} looked and found \${Array.isArray(found) ? 'a list' : found}\`;
}
`;
const EXPECTED = 'onnxruntime looked and found a list';
const MAIN = `import { predict } from './predict.mjs';\npredict().then(console.log);\n`;

const ROLLUP = `import resolve from '@rollup/plugin-node-resolve';
import commonjs from '@rollup/plugin-commonjs';
import json from '@rollup/plugin-json';
export default {
  input: 'main.mjs',
  output: {
    dir: 'out-rollup',
    format: 'esm',
    entryFileNames: '[name].mjs',
    banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
  },
  plugins: [resolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs({ ignoreDynamicRequires: true }), json()],
};`;
const VITE = `export default {
  build: { ssr: 'main.mjs', outDir: 'out-vite', rollupOptions: { output: { entryFileNames: '[name].mjs' } } },
  ssr: { noExternal: true },
};`;
const WEBPACK = `export default {
  mode: 'production',
  target: 'node',
  entry: './main.mjs',
  output: { path: process.cwd() + '/out-webpack', filename: 'main.cjs' },
};`;
const ROUTE = `import { predict } from '../../predict.mjs';
export const dynamic = 'force-dynamic';
export async function GET() {
  return new Response(await predict());
}
`;

// Electron starts what the package names; without a window no screen is needed.
const ELECTRON = `import { app } from 'electron';
import { predict } from './predict.mjs';
app.whenReady().then(predict).then(console.log).catch(console.error).finally(() => app.quit());
`;

/** The npm package of Electron has no program in it: the first start fetches one from GitHub. */
const UNFETCHED = /Downloading Electron binary[^]*(?:fetch failed|ENOTFOUND)/;

/** What to install, the commands that build, and the command that runs. The first that is installed gives the version. */
const WAYS = {
  'node, no bundler': { run: ['node', 'main.mjs'] },
  'esbuild, esm': {
    install: ['esbuild'],
    build: [
      'esbuild main.mjs --bundle --platform=node --format=esm --outfile=out-esbuild/main.mjs --banner:js="import{createRequire}from\'node:module\';const require=createRequire(import.meta.url);"',
    ],
    run: ['node', 'out-esbuild/main.mjs'],
  },
  'esbuild, cjs': {
    install: ['esbuild'],
    build: ['esbuild main.mjs --bundle --platform=node --format=cjs --outfile=out-esbuild/main.cjs'],
    run: ['node', 'out-esbuild/main.cjs'],
  },
  rollup: {
    install: ['rollup', '@rollup/plugin-node-resolve', '@rollup/plugin-commonjs', '@rollup/plugin-json'],
    files: { 'rollup.config.mjs': ROLLUP },
    build: ['rollup -c --silent'],
    run: ['node', 'out-rollup/main.mjs'],
  },
  'vite, ssr': {
    install: ['vite'],
    files: { 'vite.config.mjs': VITE },
    build: ['vite build --logLevel error'],
    run: ['node', 'out-vite/main.mjs'],
  },
  webpack: {
    install: ['webpack', 'webpack-cli'],
    files: { 'webpack.config.mjs': WEBPACK },
    build: ['webpack'],
    run: ['node', 'out-webpack/main.cjs'],
  },
  'next, default': {
    install: ['next', 'react', 'react-dom'],
    files: { 'app/api/route.js': ROUTE },
    build: ['next build'],
    serve: 'next start -p 38471',
  },
  'next, webpack': {
    install: ['next', 'react', 'react-dom'],
    files: { 'app/api/route.js': ROUTE },
    build: ['next build --webpack'],
    serve: 'next start -p 38471',
  },
  bun: { install: ['bun'], run: ['node_modules/.bin/bun', 'main.mjs'] },
  'bun build': {
    install: ['bun'],
    build: ['bun build main.mjs --target=bun --outfile=out-bun/main.mjs'],
    run: ['node_modules/.bin/bun', 'out-bun/main.mjs'],
  },
  deno: { install: ['deno'], run: ['node_modules/.bin/deno', 'run', '-A', '--node-modules-dir=manual', 'main.mjs'] },
  electron: {
    install: ['electron'],
    files: { 'electron.mjs': ELECTRON },
    run: ['node_modules/.bin/electron', '--no-sandbox', '--ozone-platform=headless', 'electron.mjs'],
  },
};

const wanted = process.argv.slice(2);
const ways = Object.entries(WAYS).filter(([name]) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const folder = mkdtempSync(join(tmpdir(), 'rcnn-bundlers-'));
const tarballFolder = join(folder, 'tarballs');
mkdirSync(tarballFolder);
const dependencies = everything(packAll(tarballFolder));

// One project for all, so that what they share is installed once.
const project = join(folder, 'project');
mkdirSync(project);
writeManifest(project, dependencies);
writeFileSync(join(project, 'predict.mjs'), PROGRAM);
writeFileSync(join(project, 'main.mjs'), MAIN);

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
delete env.NODE_OPTIONS;

async function tryWay(name, { install = [], files = {}, build = [], run: command, serve }) {
  for (const file of Object.keys(files)) mkdirSync(join(project, file, '..'), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(project, file), text);
  const npm = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...install];
  const installed = run('npm', npm, project);
  if (installed.status !== 0) return `does not install:\n${installed.output.slice(-2000)}`;
  versions.set(name, install.length === 0 ? process.version.slice(1) : versionOf(install[0]));
  for (const line of build) {
    const { status, output } = run('npx', ['--no-install', '-c', line], project, env);
    if (status !== 0) return `does not build:\n${output.slice(-2000)}`;
  }
  const { output } = serve === undefined ? await start(command[0], command.slice(1), project, env) : await ask(serve);
  if (output.includes(EXPECTED)) return 'works';
  return `${UNFETCHED.test(output) ? 'not tried: its program cannot be fetched' : 'does not run'}:\n${output.slice(-2000)}`;
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** Starts a server, asks it once it listens, and ends it. */
async function ask(serve) {
  const { spawn } = await import('node:child_process');
  const server = spawn('npx', ['--no-install', '-c', `exec ${serve}`], { cwd: project, env, detached: true });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (output += text));
  try {
    for (let attempt = 0; attempt < 120; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const answer = await fetch('http://127.0.0.1:38471/api').catch(() => undefined);
      if (answer !== undefined) return { output: `HTTP ${answer.status}: ${await answer.text()}\n${output}` };
    }
    return { output: `no answer in a minute\n${output}` };
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid); // the whole group
  }
}

const versions = new Map();
const PAGE = join(root, 'docs', 'servers.md');
const TABLE = /(?<=<!-- bundlers -->\n)[^]*?(?=<!-- \/bundlers -->)/;
const ROW = /^\| ([^|]+?) +\| (?!-)([^|]+?) +\| ([^|]+?) +\|$/gm;

/** The page's table, with the rows of this run in place of its own. */
function writeTable(rows) {
  const page = readFileSync(PAGE, 'utf8');
  const before = [...page.match(TABLE)[0].matchAll(ROW)].slice(1).map(([, name, ...rest]) => [name, rest]);
  const known = new Map([...before, ...rows.map(([name, ...rest]) => [name, rest])]);
  const lines = Object.keys(WAYS)
    .filter((name) => known.has(name))
    .map((name) => [name, ...known.get(name)]);
  const all = [['Way', 'Version', 'Outcome'], ...lines];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((line) => line[column].length)));
  const text = all.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`);
  text.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  writeFileSync(PAGE, page.replace(TABLE, `\n${text.join('\n')}\n\n`));
}

const rows = [];
for (const [name, way] of ways) {
  const outcome = await tryWay(name, way);
  console.log(`${name.padEnd(18)} ${outcome}`);
  rows.push([name, versions.get(name) ?? '–', outcome.split('\n')[0].replace(/:$/, '')]);
  writeTable(rows);
}
rmSync(folder, { recursive: true, force: true });
console.log('The table of docs/servers.md says so.');
process.exit(rows.every(([, , outcome]) => outcome === 'works') ? 0 : 1);
