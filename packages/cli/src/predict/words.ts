import type { Detection } from '@rcnn/core';

/** Below this score neither pictures nor words speak of a detection, unless another threshold was asked for. */
export const SHOWN_FROM = 0.5;

/** `2 persons, 1 dog`, most first; `nothing found` for none. */
export function inWords(detections: readonly Detection[], names: ReadonlyMap<number, string>): string {
  const counts = new Map<string, number>();
  for (const { label } of detections) {
    const name = names.get(label) ?? `class ${label}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const parts = [...counts]
    .toSorted(([nameA, a], [nameB, b]) => b - a || (nameA < nameB ? -1 : 1))
    .map(([name, count]) => `${count} ${count === 1 ? name : plural(name)}`);
  return parts.length === 0 ? 'nothing found' : parts.join(', ');
}

/** Names of COCO and LVIS that do not follow the rules. */
const IRREGULAR: Readonly<Record<string, string>> = {
  sheep: 'sheep',
  fish: 'fish',
  deer: 'deer',
  skis: 'skis',
  scissors: 'scissors',
  mouse: 'mice',
  knife: 'knives',
  man: 'men',
  woman: 'women',
  child: 'children',
  tooth: 'teeth',
  leaf: 'leaves',
};

/** The plural of an English name, by its last word; names in other scripts and codes stay as they are. */
export function plural(name: string): string {
  const [, before = '', word = ''] = /^(.*?)([a-z]+)$/.exec(name) ?? [];
  if (word.length < 3) return name;
  if (Object.hasOwn(IRREGULAR, word)) return before + IRREGULAR[word]!;
  if (/(?:s|x|z|ch|sh)$/.test(word)) return `${name}es`;
  if (/[^aeiou]y$/.test(word)) return `${name.slice(0, -1)}ies`;
  return `${name}s`;
}
