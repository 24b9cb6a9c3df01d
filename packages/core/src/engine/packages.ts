import { fileUrl, type NodeRequire, packageRequires } from './host.ts';
import { writtenImports } from './server-imports.ts';

/** The outcome of looking for an optional package. */
export type PackageSearch =
  | { readonly status: 'found'; readonly module: Record<string, unknown> }
  | { readonly status: 'missing' }
  /** It is there and does not load. */
  | { readonly status: 'failed'; readonly reason: Error };

/**
 * Imports an optional package as the program sees it, else as this package does: strict layouts (pnpm, Yarn) show a
 * library only what it declares. In a bundle there may be no folder to look into; there the import that the bundler has
 * seen brings it. An application in a browser hands over its own loaders instead.
 */
export async function importOptional(specifier: string): Promise<PackageSearch> {
  const paths = packageRequires().flatMap((require) => resolved(require, specifier) ?? []);
  const [path] = paths; // the program's, where it has one
  const written = writtenImports[specifier];
  if (written !== undefined && new Set(paths).size <= 1) {
    const search = await attempt(written);
    if (search.status !== 'failed' || !saysMissing(search.reason, specifier)) return search;
  }
  if (path === undefined) return { status: 'missing' };
  return attempt(() => import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ fileUrl(path)));
}

async function attempt(load: () => Promise<unknown>): Promise<PackageSearch> {
  try {
    return { status: 'found', module: (await load()) as Record<string, unknown> };
  } catch (reason) {
    return { status: 'failed', reason: reason instanceof Error ? reason : new Error(String(reason)) };
  }
}

/** Whether an import failed because this very package is not there: Node, Bun, Deno and what bundlers put in its place. */
function saysMissing(reason: Error, specifier: string): boolean {
  const quoted = [`'${specifier}'`, `"${specifier}"`].some((name) => reason.message.includes(name));
  return quoted && /cannot find|could not (?:find|resolve)|failed to resolve|not found/i.test(reason.message);
}

/** The version of an installed package, `undefined` when it is missing or hides its package.json. */
export function packageVersion(specifier: string): string | undefined {
  for (const require of packageRequires()) {
    try {
      return (require(`${specifier}/package.json`) as { version?: string }).version;
    } catch {
      // not here: the next place may have it
    }
  }
  return undefined;
}

function resolved(require: NodeRequire, specifier: string): string | undefined {
  try {
    return require.resolve(specifier);
  } catch {
    return undefined; // not here: the next place may have it
  }
}
