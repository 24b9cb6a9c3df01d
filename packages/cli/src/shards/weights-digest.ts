import { createHash } from 'node:crypto';
import { stateDict } from '@rcnn/checkpoint';
import { sha256OfFile } from '@rcnn/checkpoint/node';
import type { Detector } from '@rcnn/core';

/**
 * SHA-256 of a model's weights, whatever file they came from. An exported model shows none: there it is that of `file`, so
 * that no two such models pass for one.
 */
export async function weightsDigest(model: Pick<Detector, 'namedParameters'>, file?: string): Promise<string> {
  const entries = [...(await stateDict(model)).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (entries.length === 0 && file !== undefined) return `file ${await sha256OfFile(file)}`;
  const hash = createHash('sha256');
  for (const { name, dtype, shape, read } of entries) {
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(await read());
  }
  return hash.digest('hex');
}

/** SHA-256 of anything that is JSON, item by item. */
export function digestOf(items: Iterable<unknown>): string {
  const hash = createHash('sha256');
  for (const item of items) hash.update(`${JSON.stringify(item)}\n`);
  return hash.digest('hex');
}
