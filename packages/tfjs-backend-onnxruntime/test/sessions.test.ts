import { expect, test } from 'vitest';
import { singleNode } from '../src/kernels/kernel.ts';
import type { NativeTensor } from '../src/native.ts';
import { Sessions } from '../src/sessions.ts';
import { countCores, defaultThreads } from '../src/threads.ts';

const vector = (...values: number[]): NativeTensor => ({
  type: 'float32',
  location: 'cpu',
  dims: [values.length],
  data: Float32Array.from(values),
});

test('one session per kind of work, whatever the shape, and no more than the limit', () => {
  const sessions = new Sessions(1, 2);
  for (const op of ['Neg', 'Abs', 'Neg', 'Exp', 'Neg']) {
    for (const x of [vector(1, -2), vector(3, 4, 5)]) {
      const y = vector(...new Array<number>(x.data.length).fill(0));
      sessions.run(singleNode(op, { op }), [x], [y]);
      if (op === 'Neg') expect([...(y.data as Float32Array)]).toEqual([...(x.data as Float32Array)].map((v) => -v));
    }
    expect(sessions.size).toBeLessThanOrEqual(2);
  }
  sessions.clear();
  expect(sessions.size).toBe(0);
});

test('a graph that cannot run says which, and on what', () => {
  const sessions = new Sessions(1, 2);
  const add = singleNode('Add', { op: 'Add' }, [1, 1]);
  const run = (): void => sessions.run(add, [vector(1, 2), vector(1, 2, 3)], [vector(0, 0)]);
  expect(run).toThrow(/\[GRAPH_FAILED\] Add of float32\[2\], float32\[3\]/);
  expect(() => sessions.run(singleNode('Nope', { op: 'Nope' }), [vector(1)], [vector(0)])).toThrow(
    /GRAPH_FAILED.*Nope/s,
  );
});

test('threads: the variable, else the physical cores', () => {
  expect(defaultThreads({ RCNN_THREADS: '3' })).toBe(3);
  expect(defaultThreads({})).toBeGreaterThanOrEqual(1);
  expect(() => defaultThreads({ RCNN_THREADS: 'many' })).toThrow(/RCNN_THREADS: found NaN, expected a whole number/);
  const cpu = (socket: number, core: number): string => `processor : 0\nphysical id : ${socket}\ncore id : ${core}`;
  expect(countCores([cpu(0, 0), cpu(0, 1), cpu(0, 0), cpu(0, 1)].join('\n\n'))).toBe(2); // two threads each
  expect(countCores([cpu(0, 0), cpu(1, 0)].join('\n\n'))).toBe(2);
  expect(countCores('processor : 0\nBogoMIPS : 50')).toBeUndefined();
});
