import { createRequire } from 'node:module';

type Predicate = (value: unknown) => boolean;

/** The functions of `node:util` that Node 23 removed and tfjs-node 4.22 calls. */
const removed: Readonly<Record<string, Predicate>> = {
  isArray: Array.isArray,
  isNullOrUndefined: (value) => value === null || value === undefined,
};

/** Puts them back where they are missing. CommonJS modules share one `util` object, so this reaches tfjs-node. */
export function supplyRemovedUtilities(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  for (const [name, predicate] of Object.entries(removed)) util[name] ??= predicate;
}
