import { expect, test } from 'vitest';
import { evaluate, statNames } from '../src/index.ts';

test.each(['bbox', 'segm', 'keypoints'] as const)('%s: a name for every number, as its line says', (iouType) => {
  const { stats, summary } = evaluate({ images: [], annotations: [], categories: [] }, [], { iouType });
  const names = statNames(iouType);
  expect(names).toHaveLength(stats.length);
  const sizes: Readonly<Record<string, string>> = { s: 'small', m: 'medium', l: 'large' };
  const lines = summary.trimEnd().split('\n');
  for (const [i, name] of names.entries()) {
    const [, short, rest = ''] = /^(A[PR])(.*)$/.exec(name)!;
    expect(lines[i]).toContain(`(${short})`);
    expect(lines[i]).toContain(`area=${(sizes[rest] ?? 'all').padStart(6)}`);
    if (/^(50|75)$/.test(rest)) expect(lines[i]).toContain(`IoU=0.${rest}`);
    if (/^10?0?$/.test(rest)) expect(lines[i]).toContain(`maxDets=${rest.padStart(3)}`);
  }
});
