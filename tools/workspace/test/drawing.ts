import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importsOf, type Package, packageOf, sources } from './house.ts';

/** What a package is, where its name does not say it. */
const WORDS: Readonly<Record<string, string>> = {
  core: 'modules, layers, gradients, engines, errors, types',
  detector: 'the shell of a detector',
  'mask-rcnn': 'photographs in, named objects out',
  models: 'every architecture, by name',
  optim: 'optimizers, the training step',
  'tfjs-backend-onnxruntime': 'the default engine in Node',
  'tfjs-tensorflow': 'makes tfjs-node work',
};

/**
 * The house as mermaid draws it: an arrow for each package that another one imports, without those that follow from
 * others (`train` reaches `boxes` through `models`).
 */
export function drawing(packages: readonly Package[]): string {
  const folders = new Map(packages.map(({ manifest, folder }) => [manifest.name, folder]));
  const imports = new Map(packages.map((p) => [p.folder, importedBy(p, folders)]));
  const reaches = (from: string, to: string): boolean =>
    [...(imports.get(from) ?? [])].some((next) => next === to || reaches(next, to));
  const names = [...imports.keys()].toSorted();
  const nodes = names
    .filter((name) => WORDS[name] !== undefined)
    .map((name) => `  ${name}["${name}<br/>${WORDS[name]}"]`);
  const arrows = names.flatMap((from) => {
    const all = [...imports.get(from)!].toSorted();
    const needed = all.filter((to) => !all.some((other) => other !== to && reaches(other, to)));
    return needed.length === 0 ? [] : [`  ${from} --> ${needed.join(' & ')}`];
  });
  return `${['flowchart BT', ...nodes, ...arrows].join('\n')}\n`;
}

/** Folders of the packages whose code or types a package uses, engines that are loaded on demand aside. */
function importedBy({ path, folder }: Package, folders: ReadonlyMap<string, string>): Set<string> {
  const found = new Set<string>();
  for (const file of sources(join(path, 'src'))) {
    for (const { specifier, dynamic } of importsOf(file, readFileSync(file, 'utf8'))) {
      const target = folders.get(packageOf(specifier) ?? '');
      if (target === undefined || target === folder || (dynamic && folder === 'core')) continue;
      found.add(target);
    }
  }
  return found;
}
