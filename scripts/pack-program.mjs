// The program and its server as a project that npm can install without this repository: `node scripts/pack-program.mjs
// FOLDER` writes the tarballs and a package.json that takes every @rcnn package from them. The Dockerfile installs it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packAll } from './packed.mjs';

const [folder] = process.argv.slice(2);
if (folder === undefined || folder.startsWith('-')) {
  console.error('usage: node scripts/pack-program.mjs FOLDER');
  process.exit(2);
}
const tarballFolder = join(resolve(folder), 'tarballs');
mkdirSync(tarballFolder, { recursive: true });
const { packages, tarballs } = packAll(tarballFolder);
// The tarballs lie beside the manifest, wherever the folder goes.
const dependencies = Object.fromEntries(
  [...tarballs].map(([name, file]) => [name, file.replace(tarballFolder, 'tarballs')]),
);
const { manifest } = packages.find(({ manifest: { name } }) => name === '@rcnn/cli');
for (const name of ['@tensorflow/tfjs-core', 'sharp']) {
  const wanted = { ...manifest.dependencies, ...manifest.peerDependencies }[name];
  if (wanted !== undefined && !wanted.startsWith('catalog:')) dependencies[name] = wanted;
}
writeFileSync(
  join(folder, 'package.json'),
  `${JSON.stringify({ private: true, type: 'module', dependencies }, null, 2)}\n`,
);
console.log(`${tarballs.size} tarballs in ${tarballFolder}`);
