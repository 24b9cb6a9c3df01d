import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import parse from '@changesets/parse';
import { describe, expect, test } from 'vitest';
import { anchorsOf, deadLinks, linksOf } from '../../../scripts/page-links.mjs';
import { drawing } from './drawing.ts';
import {
  backends,
  browserEntries,
  floors,
  forbidden,
  mayImportBackends,
  nativeModules,
  nodeOnly,
  rooms,
  sameFloor,
} from './floors.ts';
import { importsOf, type Package, packageOf, packages, root, sources } from './house.ts';

// The package is CommonJS with an 'esModule' mark.
const parseChangeset = (parse as unknown as { default?: typeof parse }).default ?? parse;

const all = packages();
const byName = new Map(all.map((p) => [p.manifest.name, p]));

/** Fails with the whole list, so that one run shows every problem. */
function none(problems: readonly string[]): void {
  expect(problems.length === 0 ? '' : `\n${problems.join('\n')}\n`).toBe('');
}

function floorOf(folder: string): number {
  return floors.findIndex((floor) => floor.includes(folder));
}

/** Read as `changeset version` reads them: one that cannot be parsed would stop the release. */
const changesets = readdirSync(join(root, '.changeset'))
  .filter((file) => file.endsWith('.md') && file !== 'README.md')
  .map((file) => {
    try {
      return { file, ...parseChangeset(readFileSync(join(root, '.changeset', file), 'utf8')) };
    } catch (cause) {
      throw new Error(`.changeset/${file} is no changeset: it begins with '---', packages, '---'`, { cause });
    }
  });

test.each(changesets.map((changeset) => [changeset.file, changeset] as const))(
  'changeset %s names packages that are there, and says something',
  (_, { releases, summary }) => {
    expect(releases.length).toBeGreaterThan(0);
    expect(releases.filter(({ name }) => !byName.has(name))).toEqual([]);
    expect(summary.length).toBeGreaterThan(20);
  },
);

describe.each(all.map((p) => [p.folder, p] as const))('packages/%s', (folder, { path, manifest }: Package) => {
  test('has the skeleton of the house', () => {
    const problems: string[] = [];
    const want = (ok: boolean, message: string): void => {
      if (!ok) problems.push(`packages/${folder}: ${message}`);
    };
    for (const file of ['README.md', 'LICENSE', 'src', 'test', 'tsconfig.json', 'test/tsconfig.json']) {
      want(existsSync(join(path, file)), `${file} is missing. Copy it from a neighbour, or see 'npm run new-package'.`);
    }
    const tests = sources(join(path, 'test')).filter((file) => file.endsWith('.test.ts'));
    want(tests.length > 0, 'has no test. Add test/<module>.test.ts.');
    const readme = existsSync(join(path, 'README.md')) ? readFileSync(join(path, 'README.md'), 'utf8') : '';
    want(readme.startsWith(`# ${manifest.name}`), `README.md must begin with '# ${manifest.name}'.`);
    want(/```(ts|sh|bash)/.test(readme), 'README.md shows no code. Add a dozen lines that run.');
    want(manifest.name === `@rcnn/${folder}` || manifest.name === folder, `is named ${manifest.name}.`);
    want((manifest.description ?? '').length > 20, 'package.json needs a description of one sentence.');
    want(manifest.license === 'MIT', "package.json needs 'license': 'MIT'.");
    for (const key of ['repository', 'homepage', 'bugs', 'keywords'] as const) {
      want(manifest[key] !== undefined, `package.json says no ${key}. Run 'npm run metadata'.`);
    }
    want(manifest.type === 'module', "package.json needs 'type': 'module': the house is ESM only.");
    want(manifest.engines?.['node'] === '>=20.19', "package.json needs 'engines': { 'node': '>=20.19' }.");
    want(manifest.exports?.['./package.json'] === './package.json', "exports must hold './package.json'.");
    want((manifest.files ?? []).includes('src'), "files must hold 'src': declaration maps point there.");
    want(floorOf(folder) >= 0, 'stands on no floor. Add it to tools/workspace/test/floors.ts.');
    const references = readFileSync(join(root, 'tsconfig.json'), 'utf8');
    want(references.includes(`"packages/${folder}"`), 'is missing from the references of tsconfig.json.');
    none(problems);
  });

  test('is documented by a changeset or a changelog', () => {
    const mentioned = changesets.some(({ releases }) => releases.some(({ name }) => name === manifest.name));
    expect(
      mentioned || existsSync(join(path, 'CHANGELOG.md')),
      `packages/${folder} has no changeset. Run 'npm run changeset' and say what users get.`,
    ).toBe(true);
  });

  test('keeps the arrows: who may import whom', () => {
    const problems: string[] = [];
    for (const { file, line, specifier, typeOnly } of sources(join(path, 'src')).flatMap((f) => importsOf(f))) {
      const target = byName.get(packageOf(specifier) ?? '');
      if (target === undefined || target.folder === folder) continue;
      const [from, to] = [floorOf(folder), floorOf(target.folder)];
      const allowed = to < from || (to === from && (sameFloor[folder] ?? []).includes(target.folder));
      const banned = forbidden.some(([a, b]) => a === folder && b === target.folder);
      // Types of core are how data and model meet; the arrow still may not point upwards.
      if (!allowed || banned) {
        problems.push(
          `${file}:${line} imports ${specifier}${typeOnly ? ' (type)' : ''}: ${folder} stands on floor ${from}, ` +
            `${target.folder} on floor ${to}. Move the shared part to a lower floor, or hand it in from above.`,
        );
      }
      const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
      if (!Object.hasOwn(declared, target.manifest.name)) {
        problems.push(`${file}:${line} imports ${specifier}; add it to the dependencies of packages/${folder}.`);
      }
    }
    none(problems);
  });

  test('keeps the order of its rooms', () => {
    const steps = rooms[folder];
    if (steps === undefined) return;
    const problems: string[] = [];
    const src = join(path, 'src');
    const roomOf = (file: string): string => relative(src, file).split('/')[0]!;
    const stepOf = (room: string): number => {
      const step = steps.findIndex((names) => names.includes(room));
      return step >= 0 || !room.endsWith('.ts') ? step : steps.length;
    };
    for (const file of sources(src)) {
      const from = roomOf(file);
      if (stepOf(from) < 0) problems.push(`packages/${folder}/src/${from} has no place in 'rooms' of floors.ts.`);
      for (const { file: name, line, specifier } of importsOf(file)) {
        if (!specifier.startsWith('.')) continue;
        const to = roomOf(join(file, '..', specifier));
        if (to === '..') continue; // made by the build
        if (from === to || stepOf(to) < stepOf(from) || (to.endsWith('.ts') && stepOf(from) === steps.length)) continue;
        problems.push(
          `${name}:${line} imports ${specifier}: '${to}' does not come before '${from}'. Move what both need down.`,
        );
      }
    }
    none(problems);
  });

  test('imports no backend, and lists tfjs-core as a peer', () => {
    const problems: string[] = [];
    const imports = sources(join(path, 'src')).flatMap((f) => importsOf(f));
    if (!mayImportBackends.includes(folder)) {
      for (const { file, line, specifier, dynamic } of imports) {
        // The engine choice of core loads backends when asked to; nothing else may, and never statically.
        if (folder === 'core' && dynamic) continue;
        if (backends.some((pattern) => pattern.test(specifier))) {
          problems.push(`${file}:${line} imports the backend ${specifier}. The application chooses it; use tfjs-core.`);
        }
      }
    }
    // The main entry of core computes with tensors; its entries './errors' and './random' do not.
    const usesCore = imports.some(
      ({ specifier, typeOnly }) => ['@tensorflow/tfjs-core', '@rcnn/core'].includes(specifier) && !typeOnly,
    );
    const optional = manifest.peerDependenciesMeta?.['@tensorflow/tfjs-core']?.optional === true;
    if (optional !== (folder === 'core')) {
      problems.push(`packages/${folder}: core alone has an optional peer tfjs-core, for packages without tensors.`);
    }
    if (usesCore && folder !== 'cli' && manifest.peerDependencies?.['@tensorflow/tfjs-core'] === undefined) {
      problems.push(`packages/${folder}: '@tensorflow/tfjs-core' must be a peer dependency: two copies mix kernels.`);
    }
    if (folder !== 'cli' && manifest.dependencies?.['@tensorflow/tfjs-core'] !== undefined) {
      problems.push(`packages/${folder}: move '@tensorflow/tfjs-core' from dependencies to peerDependencies.`);
    }
    none(problems);
  });

  test('shows native code to Node only', () => {
    const problems: string[] = [];
    for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
      if (nodeOnly.includes(folder) && !browserEntries[folder]?.includes(entry)) continue;
      if (typeof target === 'string' || entry === './node' || entry.startsWith('./node/')) continue;
      const seen = new Set<string>();
      const seenFirst = target.browser ?? target.default;
      const queue = [join(path, seenFirst.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'))];
      while (queue.length > 0) {
        const file = queue.pop()!;
        if (seen.has(file) || !existsSync(file)) continue;
        seen.add(file);
        for (const { file: name, line, specifier, typeOnly, dynamic } of importsOf(file)) {
          if (typeOnly) continue;
          if (specifier.startsWith('.')) queue.push(join(file, '..', specifier));
          else if (nativeModules.some((pattern) => pattern.test(specifier)) && !(folder === 'core' && dynamic)) {
            problems.push(
              `${name}:${line} imports ${specifier} and is reached from the entry '${entry}' of ${manifest.name}: ` +
                `browsers would see it. Put it behind the entry './node'.`,
            );
          } else if (/^(@rcnn\/[^/]+|mask-rcnn)\/node$/.test(specifier)) {
            problems.push(
              `${name}:${line} imports ${specifier} from the entry '${entry}': import it under './node' only.`,
            );
          }
        }
      }
    }
    none(problems);
  });

  test('src/index.ts only re-exports', () => {
    const file = join(path, 'src', 'index.ts');
    if (!existsSync(file)) return;
    const code = readFileSync(file, 'utf8')
      .replaceAll(/\/\*[\s\S]*?\*\//g, '')
      .replaceAll(/\/\/.*$/gm, '')
      .replaceAll(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+';/g, '')
      .replaceAll(/import\s+'[^']+';/g, '')
      .trim();
    expect(code, `packages/${folder}/src/index.ts holds code. Move it to a file named for what it is.`).toBe('');
  });
});

test('the rules see what they should: a forbidden import is found', () => {
  const text =
    "import type { A } from '@rcnn/cli';\nimport {\n  b,\n} from \"sharp\";\nconst c = await import('node:fs');\n";
  expect(importsOf(join(root, 'x.ts'), text)).toEqual([
    { file: 'x.ts', line: 1, specifier: '@rcnn/cli', typeOnly: true, dynamic: false },
    { file: 'x.ts', line: 4, specifier: 'sharp', typeOnly: false, dynamic: false },
    { file: 'x.ts', line: 5, specifier: 'node:fs', typeOnly: false, dynamic: true },
  ]);
  expect(packageOf('@rcnn/core/errors')).toBe('@rcnn/core');
});

test('no source uses `any` or a default export', () => {
  const problems: string[] = [];
  for (const { path } of all) {
    for (const file of [
      ...sources(join(path, 'src')),
      ...sources(join(path, 'test')),
      ...sources(join(path, 'bench')),
    ]) {
      const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$|'(?:[^'\\\n]|\\.)*'|`[^`]*`/gm, '');
      if (/(?::|<|\bas)\s*any\b/.test(text))
        problems.push(`${file}: uses 'any'. Say what it is, or take 'unknown' and check.`);
      if (/^export default /m.test(text) && !file.endsWith('.config.ts')) {
        problems.push(`${file}: has a default export. Export it by name.`);
      }
    }
  }
  none(problems);
});

/** What writes to a terminal, or asks the runtime to. */
const TERMINAL =
  /\bprocess\.(?:stdout|stderr|emitWarning)\b|\bconsole\s*[.[]|\bstdio: 'inherit'|\bwriteSync\((?:1|2)\b/;

/** The few sources that may, each cleaning what it shows; tests of theirs hold that with hostile text. */
const WRITERS: ReadonlyMap<string, string> = new Map([
  ['packages/cli/src/output/print.ts', 'all that the program says'],
  ['packages/cli/src/output/counter.ts', 'asks whether stderr is a terminal; writes by print.ts'],
  ['packages/cli/src/main.ts', 'gives commander the writers of print.ts'],
  ['packages/cli/src/engines/probe.ts', 'a program of its own: JSON for the one that started it'],
  ['packages/tfjs-tensorflow/src/load-check.ts', 'a program of its own: JSON for the one that started it'],
  ['packages/train/src/progress.ts', 'shows a training, each line by printable()'],
]);

const code = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

test('no source writes to a terminal but those that clean what they show', () => {
  const problems: string[] = [];
  const writers = new Set<string>();
  for (const { path } of all) {
    for (const file of sources(join(path, 'src'))) {
      if (!TERMINAL.test(code(readFileSync(file, 'utf8')))) continue;
      const name = relative(root, file).replaceAll('\\', '/');
      writers.add(name);
      if (!WRITERS.has(name)) {
        problems.push(
          `${name}: writes to a terminal. Names from files may act on it: in the program use output/print.ts, in a library give the text to a callback.`,
        );
      }
    }
  }
  for (const name of WRITERS.keys())
    if (!writers.has(name)) problems.push(`${name} writes nothing: take it off the list.`);
  none(problems);
});

test('the rule about terminals sees what it should', () => {
  const faults = [
    'console.log(name)',
    "console['warn'](name)",
    'process.stderr.write(name)',
    'const { write } = process.stdout',
    'process.emitWarning(name)',
    "spawn(program, { stdio: 'inherit' })",
    'writeSync(2, name)',
  ];
  expect(faults.filter((fault) => !TERMINAL.test(code(fault)))).toEqual([]);
  expect(TERMINAL.test(code('// console.log(name)\nnote(name); this.console(1);'))).toBe(false);
});

test('train knows no kind of detector: not a word of R-CNN in its sources', () => {
  const problems: string[] = [];
  for (const file of sources(join(root, 'packages/train/src'))) {
    for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
      // The scope of the packages, the name of the command and the error are words of the house.
      const rest = line.replaceAll(/@rcnn\/|mask-rcnn (?=\w)|RcnnError/g, '');
      const word = /r-?cnn|\brois?\b|rois?[A-Z_]|rpn|proposal|anchor/i.exec(rest)?.[0];
      if (word !== undefined) {
        problems.push(
          `${relative(root, file)}:${i + 1} says '${word}': it belongs to an architecture in packages/models.`,
        );
      }
    }
  }
  none(problems);
});

test('architecture.md draws the arrows that are there', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  expect(/```mermaid\n([\s\S]*?)```/.exec(page)?.[1], "docs/architecture.md: run 'node scripts/draw-house.mjs'.").toBe(
    drawing(all),
  );
});

test('no page has a dead link', () => none(deadLinks(root)));

test('the rule about links sees what it should', () => {
  const page = [
    '# A page, and `code`',
    '[a](there.md#x) and ![b](<with space.png>), `[no](code.md)`',
    '```md',
    '[no](fence.md)',
    '```',
    '<!-- [no](comment.md) --> <img src="tag.png"> [c][d]',
    '## Twice',
    '## Twice',
    '[d]: defined.md',
  ].join('\n');
  expect(linksOf(page).map(({ target, line }) => [target, line])).toEqual([
    ['there.md#x', 2],
    ['with space.png', 2],
    ['tag.png', 6],
    ['defined.md', 9],
  ]);
  expect([...anchorsOf(page)]).toEqual(['a-page-and-code', 'twice', 'twice-1']);
});

test('the README lists every package', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  none(
    all
      .filter(({ manifest }) => !readme.includes(`\`${manifest.name}\``))
      .map(({ manifest }) => `README.md: the table of packages lacks \`${manifest.name}\`.`),
  );
});
