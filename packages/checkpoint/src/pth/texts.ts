import { PickleDict, type PickleValue } from './pickle/values.ts';

const MAX_TEXTS = 1000;

/** Texts that a file carries beside its tensors, one or two keys deep: `meta.config`, `__author__`. */
export function textsOf(root: PickleValue): Map<string, string> {
  const texts = new Map<string, string>();
  const collect = (value: PickleValue, prefix: string, depth: number): void => {
    if (!(value instanceof PickleDict)) return;
    for (const [key, item] of value.entries) {
      if (texts.size >= MAX_TEXTS) return;
      if (typeof key !== 'string' || key.length > 100) continue;
      if (typeof item === 'string') texts.set(prefix + key, item);
      else if (depth > 0) collect(item, `${prefix}${key}.`, depth - 1);
    }
  };
  collect(root, '', 1);
  return texts;
}
