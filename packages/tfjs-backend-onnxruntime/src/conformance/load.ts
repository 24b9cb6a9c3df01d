import { readFileSync } from 'node:fs';
import type { ConformanceCase } from './case.ts';

/** The list of cases with their answers. */
export function loadCases(): readonly ConformanceCase[] {
  return JSON.parse(
    readFileSync(new URL('../../conformance/answers.json', import.meta.url), 'utf8'),
  ) as ConformanceCase[];
}
