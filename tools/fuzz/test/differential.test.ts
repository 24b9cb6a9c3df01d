import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { answerTo } from '../src/answers.ts';

/** What pycocotools and safetensors made of damaged files that they took (tools/reference/differential.py --freeze). */
const answers = readFileSync(new URL('fixtures/answers.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { readonly name: string; readonly file: string; readonly theirs: unknown });

test.each(['rle', 'safetensors'])('%s: damaged files that both accept are read the same', async (name) => {
  const own = answers.filter((answer) => answer.name === name);
  expect(own.length).toBe(40);
  for (const { file, theirs } of own) {
    const ours = await answerTo(name, Buffer.from(file, 'base64'));
    expect({ file, ours: Array.isArray(ours) ? ours.toSorted() : ours }).toEqual({ file, ours: theirs });
  }
});
