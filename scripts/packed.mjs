// The packages as users get them: every one packed, to be installed into projects outside the workspace.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The main version of the Node that runs this. */
export const running = process.version.slice(1).split('.')[0];

const PATH = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`;
const shell = process.platform === 'win32';

export function run(program, args, cwd, env = { ...process.env, PATH }) {
  const result = spawnSync(program, args, { cwd, encoding: 'utf8', env, shell, maxBuffer: 2 ** 28 });
  return { status: result.status ?? 1, output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}` };
}

/** As {@link run}, beside others. */
export function start(program, args, cwd, env = { ...process.env, PATH }) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ status: 1, output: String(error) }));
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

export function must(program, args, cwd, env) {
  const { status, output } = run(program, args, cwd, env);
  if (status !== 0) {
    console.error(`${program} ${args.join(' ')} ended with status ${status}:\n${output}`);
    process.exit(1);
  }
  return output;
}

/** The program of another Node: npm serves them. */
export function nodeProgram(version) {
  if (version === running) return process.execPath;
  return must('npx', ['-y', '-p', `node@${version}`, 'node', '-p', 'process.execPath'], root)
    .trim()
    .split('\n')
    .at(-1);
}

function member(...place) {
  const path = join(root, ...place);
  return { path, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) };
}

/**
 * Packs every package, and onnxruntime for this platform; a registry would have the other platforms too, and npm would
 * pass them by. `tarballs` gives each name's file, as a dependency wants it.
 */
export function packAll(folder) {
  const packages = readdirSync(join(root, 'packages')).map((name) => member('packages', name));
  const native = member('natives', `${process.platform}-${process.arch}`);
  const tarballs = new Map();
  for (const { path, manifest } of [native, ...packages]) {
    must('pnpm', ['pack', '--pack-destination', folder], path);
    const { name, version } = manifest;
    tarballs.set(name, `file:${join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)}`);
  }
  return { packages, native, tarballs };
}

/** What a project needs to try everything: all packages, with the optional peers that some entries are about. */
export function everything({ packages, tarballs }) {
  const dependencies = { '@tensorflow/tfjs-core': '4.22.0', '@tensorflow/tfjs-backend-cpu': '4.22.0' };
  for (const [name, file] of tarballs) dependencies[name] = file;
  for (const { manifest } of packages) {
    for (const peer of ['sharp', '@napi-rs/canvas']) {
      const wanted = manifest.peerDependencies?.[peer];
      if (wanted !== undefined) dependencies[peer] = wanted;
    }
  }
  return dependencies;
}

export function writeManifest(project, dependencies, type = 'module') {
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type, dependencies }, null, 2));
}
