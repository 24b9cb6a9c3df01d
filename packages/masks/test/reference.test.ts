import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { batchDigest } from './reference-cases.ts';

// One digest per 1,000 random masks, computed by pycocotools 2.0.11 through tools/reference/masks.py: strings, areas,
// boxes and IoU of random polygons, boxes, bitmaps and intersections.
const digests = readFileSync(new URL('fixtures/reference-digests.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

test.each(digests.map((digest, batch) => [batch, digest] as const))('batch %i equals pycocotools', (batch, digest) => {
  expect(batchDigest(batch)).toBe(digest);
});
