import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Evaluation } from '../src/index.ts';

export function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8'));
}

/** SHA-256 of the doubles as they lie in memory: little endian on every machine that Node runs on. */
export function sha256(values: Float64Array): string {
  return createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
}

export function digests({ precision, recall, scores }: Evaluation): Record<string, string> {
  return { precision_sha256: sha256(precision), recall_sha256: sha256(recall), scores_sha256: sha256(scores) };
}
