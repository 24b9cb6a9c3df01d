// The licences of everything that users install with us: each must be one that asks for nothing but its own text.
//   node scripts/check-licenses.mjs
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// BlueOak-1.0.0 too asks for nothing but its own text; the server's page of its options brings it.
const ALLOWED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  'Unlicense',
]);

/** Others, each for one package and with the reason why it may stay. */
const EXCEPTIONS = new Map([
  ['@fontsource/inter', ['OFL-1.1', 'a font, which may be passed on with programs']],
  ['@img/sharp-libvips-', ['LGPL-3.0-or-later', 'a library that is linked at run time and can be replaced']],
]);

/** Of licences that hold together, each must be allowed. */
const isAllowed = (license) =>
  license
    .replace(/^\((.*)\)$/, '$1')
    .split(' AND ')
    .every((one) => ALLOWED.has(one));

const root = fileURLToPath(new URL('..', import.meta.url));
const { stdout, status } = spawnSync('pnpm', ['licenses', 'list', '-r', '--prod', '--json'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
  shell: process.platform === 'win32',
});
if (status !== 0) throw new Error(`'pnpm licenses list' ended with status ${status}`);

let count = 0;
let wrong = 0;
for (const [license, packages] of Object.entries(JSON.parse(stdout))) {
  for (const { name } of packages) {
    count++;
    const exception = [...EXCEPTIONS].find(([prefix]) => name.startsWith(prefix))?.[1];
    if (isAllowed(license) || exception?.[0] === license) continue;
    wrong++;
    console.error(`${name} is under ${license}. Find another, or say in scripts/check-licenses.mjs why it may stay.`);
  }
}
// What a package's own page has inside is no dependency of it; the build lists it.
for (const folder of readdirSync(new URL('../packages/', import.meta.url))) {
  const list = new URL(`../packages/${folder}/dist/page/licenses.md`, import.meta.url);
  if (!existsSync(list)) continue;
  for (const [, name, license] of readFileSync(list, 'utf8').matchAll(/^## (\S+) - \S+ \((.+)\)$/gm)) {
    count++;
    if (isAllowed(license)) continue;
    wrong++;
    console.error(`${name}, inside the page of packages/${folder}, is under ${license}. Find another.`);
  }
}
if (count === 0) throw new Error('pnpm lists no package: is anything installed?');
console.log(`${count} packages at run time, ${wrong} under a licence that is not allowed.`);
process.exit(wrong > 0 ? 1 : 0);
