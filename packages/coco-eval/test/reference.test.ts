import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { evaluationDigest } from './reference-cases.ts';

// Digests of arrays, numbers and text of random datasets, computed by pycocotools 2.0.11 through
// tools/reference/evaluation.py.
const digests = readFileSync(new URL('fixtures/reference-digests.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

test(`${digests.length} random datasets are evaluated as by pycocotools`, () => {
  const answers = digests.map((_, seed) => evaluationDigest(seed));
  expect(answers).toEqual(digests);
});
