import { expect, test } from 'vitest';
import { type WebRuntime, webModels } from '../src/index.ts';

/** As onnxruntime-web: one run at a time, and none after the release. */
function runtime(log: string[]): WebRuntime {
  let busy = false;
  return {
    InferenceSession: {
      create: async () => ({
        async run(feeds: Record<string, never>, fetches: readonly string[]) {
          if (busy) throw new Error('Session already started');
          busy = true;
          await new Promise((resolve) => setTimeout(resolve, 1));
          busy = false;
          const { type, dims } = (feeds as Record<string, { type: string; dims: readonly number[] }>)['x']!;
          log.push(`${type}[${dims.join()}] to ${fetches.join()}`);
          if (type === 'bool') throw new Error('no kernel');
          return { y: { data: Float32Array.of(dims[0]!), dims: [1] } };
        },
        async release() {
          log.push('released');
        },
      }),
    },
    Tensor: class {
      readonly type: string;
      readonly dims: readonly number[];
      constructor(type: string, _data: never, dims: readonly number[]) {
        this.type = type;
        this.dims = dims;
      }
    },
  };
}

test('calls at once run one after another; one that fails is told, the next go on, and the release comes last', async () => {
  const log: string[] = [];
  const session = await webModels(runtime(log))(new Uint8Array(1));
  const calls = [
    session.run({ x: { data: new Float32Array(1), dims: [1] } }, ['y']),
    session.run({ x: { data: new Uint8Array(2), dims: [2] } }, ['y']),
    session.run({ x: { data: new BigInt64Array(3), dims: [3] } }, ['y']),
  ];
  session.dispose();
  const ends = await Promise.allSettled(calls);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(log).toEqual(['float32[1] to y', 'bool[2] to y', 'int64[3] to y', 'released']);
});
