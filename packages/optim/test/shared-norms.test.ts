import { localGroups } from '@rcnn/distributed';
import { inThreads } from '@rcnn/distributed/node';
import { expectSameBits } from '@rcnn/shared/same-bits';
import { beforeAll, describe, expect, test } from 'vitest';
import { ready } from './engine.ts';
import { joined, steps } from './norm-steps.ts';
import { NormedModel } from './normed-model.ts';

interface Trained {
  readonly losses: readonly number[];
  readonly values: Float32Array;
}
interface Failed {
  readonly code?: string;
  readonly message: string;
  readonly changed: boolean;
}
interface Answers {
  readonly together: Trained;
  readonly someEmpty: Trained;
  readonly lastLeftOut: Trained;
  readonly fails: Failed;
  readonly cannotBegin: string;
  readonly firstLeftOut: Failed;
  /** Tensors, by a step. */
  readonly gained: number;
}

let ranks: Answers[];
beforeAll(async () => {
  await ready;
  const script = new URL('norm-thread.mjs', import.meta.url);
  const endings = await inThreads<Answers>(2, script);
  ranks = endings.map((ending) => {
    if (ending.status === 'rejected') throw ending.reason;
    return ending.value;
  });
});

/** Steps of one process alone. */
const alone = (batches: readonly (readonly number[])[]): Promise<Trained> => {
  const shares = batches.map((numbers) => ({ batches: [joined(...numbers)] }));
  return steps(localGroups(1)[0]!, { model: new NormedModel() }, shares);
};

/** The first number that is further from its other than float rounding leads in a few steps. */
function firstFar(values: ArrayLike<number>, others: ArrayLike<number>): string | undefined {
  const at = Array.from(values).findIndex(
    (value, i) => !(Math.abs(value - others[i]!) <= 2e-6 * (1 + Math.abs(value))),
  );
  return at < 0 ? undefined : `${values[at]} beside ${others[at]} at ${at}`;
}

describe('two ranks whose norms share the batch', () => {
  test('with two images each are one with four: losses, weights and running statistics', async () => {
    const one = await alone([0, 1, 2, 3].map((step) => [2 * step, 2 * step + 1]));
    for (const { together } of ranks) {
      expect(firstFar(together.losses, one.losses)).toBeUndefined();
      expect(firstFar(together.values, one.values)).toBeUndefined();
    }
    expectSameBits(ranks[1]!.together.values, ranks[0]!.together.values);
    expect(ranks.map(({ gained }) => gained)).toEqual([0, 0]);
  });

  test('are not one with four while each has its own norms: the comparison can fail', async () => {
    const [half, whole] = [await alone([[0]]), await alone([[0, 1]])];
    expect(firstFar(half.values, whole.values)).toBeDefined();
  });

  test('go on where one has no images in a batch, or leaves out the last norm', () => {
    for (const what of ['someEmpty', 'lastLeftOut'] as const) {
      expectSameBits(ranks[1]![what].values, ranks[0]![what].values);
      expect(ranks[0]![what].values.every(Number.isFinite)).toBe(true);
    }
  });

  test('end together when one fails in the middle of its forward pass, named, and nothing is changed', () => {
    expect(ranks[1]!.fails).toEqual({ message: 'spoilt', changed: false });
    expect(ranks[0]!.fails).toMatchObject({ code: 'PEER_FAILED', changed: false });
    expect(ranks[0]!.fails.message).toMatch(/rank 1.*spoilt/);
    expect(ranks[1]!.cannotBegin).toBe('none');
    expect(ranks[0]!.cannotBegin).toContain('rank 1');
  });

  test('refuse to share a batch between different norms', () => {
    for (const { firstLeftOut } of ranks) {
      expect(firstLeftOut).toMatchObject({ code: 'INVALID_ARGUMENT', changed: false });
      expect(firstLeftOut.message).toMatch(/norm 1 of 4 channels beside norm 1 of 3 channels/);
    }
  });
});
