import { fileUrl, packageRequires } from './host.ts';

/** The outcome of looking for an optional package. */
export type PackageSearch =
  | { readonly status: 'found'; readonly module: Record<string, unknown> }
  | { readonly status: 'missing' }
  /** It is there and does not load. */
  | { readonly status: 'failed'; readonly reason: Error };

/**
 * Imports an optional package as the application sees it, else as this package does: strict layouts (pnpm, Yarn) show a
 * library only what it declares. Node only. Bundlers cannot know what a variable will hold, so they leave this alone,
 * and an application in a browser hands over its own loaders instead.
 */
export async function importOptional(specifier: string): Promise<PackageSearch> {
  const path = resolvePackage(specifier);
  if (path === undefined) return { status: 'missing' };
  try {
    const module = (await import(/* @vite-ignore */ /* webpackIgnore: true */ fileUrl(path))) as Record<
      string,
      unknown
    >;
    return { status: 'found', module };
  } catch (reason) {
    return { status: 'failed', reason: reason instanceof Error ? reason : new Error(String(reason)) };
  }
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

function resolvePackage(specifier: string): string | undefined {
  for (const require of packageRequires()) {
    try {
      return require.resolve(specifier);
    } catch {
      // not here: the next place may have it
    }
  }
  return undefined;
}
