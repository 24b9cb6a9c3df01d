import '@tensorflow/tfjs-layers'; // registers the gradients
import { describe, expect, test } from 'vitest';
import { checkCase, departure, EXPECTATIONS, loadCases } from '../../src/conformance/index.ts';
import { use } from '../engines.ts';

/** Runs the whole list on one engine; where it cannot be brought up, all are reported as skipped, with the reason. */
export async function describeConformance(name: string): Promise<void> {
  const missing = await use(name);
  const { tolerance, trains } = EXPECTATIONS[name]!;
  describe.skipIf(missing !== undefined)(`the operations of ${name}`, { meta: { whySkipped: missing } }, () => {
    test.each(loadCases())('$name', async (entry) => {
      const problem = await checkCase(entry, { tolerance, gradients: trains });
      const known = departure(name, entry.name);
      if (known === undefined) expect(problem).toBeUndefined();
      else expect(problem, `known to depart (${known}), but conforms now`).toBeDefined();
    });
  });
}
