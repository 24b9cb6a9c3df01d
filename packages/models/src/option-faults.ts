import { counted, quoteName } from '@rcnn/core/errors';
import type { z } from 'zod';

/** What is wrong about one option. */
export interface OptionFault {
  readonly path: readonly (string | number)[];
  /** `a whole number of at least 1`; the schema's own sentence where it has one. */
  readonly expected: string;
  readonly found: string;
  /** Keys that the schema does not know. */
  readonly unknown: readonly string[];
}

type Issue = z.core.$ZodIssue;

/** The faults that a schema finds in a value, with what stands there: zod tells only what it wanted. */
export function faultsOf(issues: readonly Issue[], given: unknown): OptionFault[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    const inside = issue.code === 'invalid_union' ? issue.errors.find(isDeeper) : undefined;
    const found = path.reduce(partOf, given);
    if (issue.code === 'unrecognized_keys') {
      return [{ path, expected: 'no such option', found: inWords(partOf(found, issue.keys[0]!)), unknown: issue.keys }];
    }
    if (inside !== undefined) {
      return faultsOf(inside, found).map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
    }
    return [{ path, expected: expectedOf(issue), found: inWords(found), unknown: [] }];
  });
}

function partOf(value: unknown, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
}

/** Whether one form of several fits as a whole and fails inside: a list with one wrong entry is meant as a list. */
function isDeeper(issues: readonly Issue[]): boolean {
  return issues.every(({ path }) => path.length > 0);
}

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'names with values',
  record: 'names with values',
};

function expectedOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      return [...new Set(issue.errors.flatMap((errors) => errors.map(expectedOf)))].join(' or ');
    case 'too_small':
      return limit(issue.origin, issue.inclusive === false ? 'above' : 'of at least', issue.minimum);
    case 'too_big':
      return limit(issue.origin, issue.inclusive === false ? 'below' : 'of at most', issue.maximum);
    default:
      return issue.message;
  }
}

/** `a number of at least 1`; of a list and a text, how long it may be. */
function limit(origin: string, how: string, bound: number | bigint): string {
  const unit = { array: 'value', string: 'letter' }[origin];
  return `${TYPES[origin] ?? origin} ${how} ${unit === undefined ? bound : counted(Number(bound), unit)}`;
}

/** A value in a few words, without walking into it: it may be deep. */
export function inWords(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return quoteName(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
