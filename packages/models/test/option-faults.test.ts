import { expect, test } from 'vitest';
import { z } from 'zod';
import { faultsOf } from '../src/index.ts';

const schema = z.strictObject({
  steps: z.number().int().min(1).optional(),
  rate: z.union([z.literal('auto'), z.number().positive()]).optional(),
  sizes: z.union([z.number().int(), z.array(z.number().int()).min(2)]).optional(),
  kind: z.enum(['sgd', 'adamw']).optional(),
  factors: z.record(z.string(), z.number().max(1)).optional(),
  name: z.string().min(1).optional(),
  on: z.boolean().optional(),
});

test.each([
  [{ steps: -3 }, 'steps', 'a number of at least 1', '-3'],
  [{ steps: 1.5 }, 'steps', 'a whole number', '1.5'],
  [{ steps: 'many\u001b[2J' }, 'steps', 'a number', "'many\\u{1b}[2J'"],
  [{ steps: { deep: [] } }, 'steps', 'a number', 'an object'],
  [{ rate: 0 }, 'rate', 'a number above 0', '0'],
  [{ rate: 'fast' }, 'rate', 'auto or a number', "'fast'"],
  [{ sizes: [1, 2.5] }, 'sizes.1', 'a whole number', '2.5'],
  [{ sizes: 'wide' }, 'sizes', 'a number or a list', "'wide'"],
  [{ kind: 'lion' }, 'kind', 'one of sgd, adamw', "'lion'"],
  [{ factors: { body: 2 } }, 'factors.body', 'a number of at most 1', '2'],
  [{ sizes: [1] }, 'sizes', 'a list of at least 2 values', 'a list'],
  [{ name: '' }, 'name', 'a text of at least 1 letter', "''"],
  [{ on: null }, 'on', 'true or false', 'null'],
  [[], '', 'names with values', 'an empty list'],
])('%j: what was expected, and what was found', (given, path, expected, found) => {
  const faults = faultsOf(schema.safeParse(given).error!.issues, given);
  expect(faults.map((fault) => [fault.path.join('.'), fault.expected, fault.found])).toEqual([[path, expected, found]]);
  expect(faults[0]!.unknown).toEqual([]);
});

test('every fault is told, and keys that nobody knows by their names', () => {
  const given = { steps: 0, on: 1, stesp: 3, foo: 1 };
  const faults = faultsOf(schema.safeParse(given).error!.issues, given);
  expect(faults.map(({ path }) => path.join('.'))).toEqual(['steps', 'on', '']);
  expect(faults.flatMap(({ unknown }) => unknown)).toEqual(['stesp', 'foo']);
});
