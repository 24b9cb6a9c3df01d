import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

test('the example of the README is the one that is run here', () => {
  const [, shown] = /```ts\n(.*?)```/s.exec(read('../README.md'))!;
  expect(shown).toBe(read('readme-example.ts'));
});

test('a tfjs-layers model trains on this backend', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  await import('./readme-example.ts');
  const [, accuracy] = log.mock.calls.find(([label]) => label === 'accuracy') as [string, number[]];
  log.mockRestore();
  expect(accuracy.at(-1)).toBeGreaterThan(0.95);
});
