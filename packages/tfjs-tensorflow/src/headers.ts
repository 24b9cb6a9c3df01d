import { posix } from 'node:path';
import type { Wheel } from './wheel.ts';

const INCLUDE = 'tensorflow/include';

/**
 * The headers of a wheel that C++ sources reach, through each other too, as paths below its include folder. A wheel has
 * thirteen thousand of them; the binding needs a few dozen. Includes under any condition count, so the set may be too
 * large, never too small; those that the wheel does not have belong to the system.
 */
export async function reachedHeaders(wheel: Wheel, sources: readonly string[]): Promise<string[]> {
  const reached = new Set<string>();
  const waiting = sources.flatMap((source) => includesOf(source, ''));
  for (let names = waiting.pop(); names !== undefined; names = waiting.pop()) {
    const name = names.find((candidate) => wheel.has(`${INCLUDE}/${candidate}`));
    if (name === undefined || reached.has(name)) continue;
    reached.add(name);
    waiting.push(...includesOf(await wheel.text(`${INCLUDE}/${name}`), posix.dirname(name)));
  }
  return [...reached].toSorted();
}

/** The places in which each `#include` of a source may lie: beside it first, then in the include folder. */
function includesOf(source: string, folder: string): string[][] {
  return [...source.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)/gm)].map(([, quoted, angled]) => {
    const name = posix.normalize(quoted ?? angled!);
    const places = quoted === undefined ? [name] : [posix.join(folder, name), name];
    return places.filter((place) => !place.startsWith('..') && !place.startsWith('/'));
  });
}
