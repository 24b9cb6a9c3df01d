// Nonsense in any place of a JSON value.
import type { Random } from '@rcnn/core/random';

export const NONSENSE: readonly unknown[] = [
  null,
  '',
  'x',
  '3',
  -1,
  0,
  0.5,
  1e300,
  2 ** 53 + 2,
  true,
  [],
  {},
  [null],
  ['a', 'b', 'c', 'd'],
  [1, 2, 3, 4],
  { size: [1, 1], counts: [1] },
];

/**
 * Puts nonsense in a place below the root, or takes away what was there.
 * @param depth least number of steps down to the place
 * @returns the steps to it
 */
export function spoilAnywhere(root: object, random: Random, depth: number): readonly string[] {
  const path: string[] = [];
  let at = root as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return path;
    const key = random.pick(keys);
    path.push(key);
    const value = at[key];
    const isDeep = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
    if (isDeep && (path.length < depth || random.chance(0.7))) {
      at = value as Record<string, unknown>;
      continue;
    }
    if (path.length < depth) return path;
    if (random.chance(0.2) && !Array.isArray(at)) Reflect.deleteProperty(at, key);
    else at[key] = structuredClone(random.pick(NONSENSE));
    return path;
  }
}
