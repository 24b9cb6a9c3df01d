// Puts onnxruntime's own files into the package of a platform just before it is packed, and takes them away afterwards;
// git never sees them.
//   cd natives/linux-x64 && node ../fill.mjs [--empty]
// They come from onnxruntime-node as npm serves it, and only with the digests that were looked at (files.json): a new
// version of it needs new ones, and each package the version of onnxruntime.
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

const target = process.cwd();
const platform = basename(target);
const digests = JSON.parse(readFileSync(new URL('files.json', import.meta.url), 'utf8'))[platform];
if (digests === undefined) throw new Error(`no files are known for ${platform}: run this in the folder of a platform`);
if (process.argv[2] === '--empty') {
  for (const file of Object.keys(digests)) rmSync(join(target, file), { force: true });
  process.exit(0);
}
const manifest = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8'));
const origin = createRequire(join(target, 'package.json')).resolve('onnxruntime-node/package.json');
const { version } = JSON.parse(readFileSync(origin, 'utf8'));
if (version !== manifest.version) {
  throw new Error(`${manifest.name} is ${manifest.version}, but the installed onnxruntime-node is ${version}`);
}

for (const [file, expected] of Object.entries(digests)) {
  const source = join(dirname(origin), 'bin', 'napi-v6', ...platform.split('-'), file);
  const found = createHash('sha256').update(readFileSync(source)).digest('hex');
  if (found !== expected) throw new Error(`${source} has SHA-256 ${found}, expected ${expected}`);
  copyFileSync(source, join(target, file));
}
