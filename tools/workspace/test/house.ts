import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly repository?: unknown;
  readonly homepage?: string;
  readonly bugs?: string;
  readonly keywords?: readonly string[];
  readonly type?: string;
  readonly private?: boolean;
  readonly engines?: Record<string, string>;
  readonly exports?: Record<string, { types: string; browser?: string; default: string } | string>;
  readonly files?: readonly string[];
  readonly scripts?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>;
  readonly devDependencies?: Record<string, string>;
}

export interface Package {
  /** Folder name: `fpn`. */
  readonly folder: string;
  readonly path: string;
  readonly manifest: Manifest;
}

export function packages(): Package[] {
  const folder = join(root, 'packages');
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'package.json')))
    .map(({ name }) => {
      const path = join(folder, name);
      return { folder: name, path, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest };
    });
}

/** Every TypeScript file below a folder, or none if there is no such folder. */
export function sources(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules') && !file.includes('fixtures'))
    .map((file) => join(folder, file));
}

export interface Import {
  /** Relative to the root, for messages. */
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  /** `import type`, gone at run time. */
  readonly typeOnly: boolean;
  /** `import('…')`, loaded only when reached. */
  readonly dynamic: boolean;
}

const STATEMENT = /(?:^|\n)[ \t]*(?:import|export)\s+(type\s+)?(?:[^'";()]*?\sfrom\s+)?['"]([^'"]+)['"]/g;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** The imports of one file. Reads text, not syntax: enough for code that biome has formatted. */
export function importsOf(file: string, text: string = readFileSync(file, 'utf8')): Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '));
  const at = (index: number): number => code.slice(0, index).split('\n').length;
  const name = relative(root, file);
  const found: Import[] = [];
  for (const match of code.matchAll(STATEMENT)) {
    const line = at(match.index + match[0].length);
    found.push({ file: name, line, specifier: match[2]!, typeOnly: match[1] !== undefined, dynamic: false });
  }
  for (const match of code.matchAll(DYNAMIC)) {
    found.push({ file: name, line: at(match.index), specifier: match[1]!, typeOnly: false, dynamic: true });
  }
  return found;
}

/** `@rcnn/core/errors` → `@rcnn/core`; `node:fs` → `node:fs`; `./x.ts` → undefined. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('/')) return undefined;
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}
