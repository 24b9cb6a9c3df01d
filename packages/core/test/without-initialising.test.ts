import '@tensorflow/tfjs-backend-cpu';
import { expect, test } from 'vitest';
import { Linear, Random, withoutInitialising } from '../src/index.ts';

test('a model built without initialising is all zeros and draws nothing', () => {
  const random = new Random(1);
  const before = random.state;
  const layer = withoutInitialising(() => new Linear(3, 2, { random }));
  expect(random.state).toEqual(before);
  expect([...layer.weight.value.dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
  layer.dispose();
});

test('what is built afterwards, or when the building throws, is drawn again', () => {
  expect(() =>
    withoutInitialising(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  const layer = new Linear(3, 2);
  expect([...layer.weight.value.dataSync()].every((value) => value !== 0)).toBe(true);
  layer.dispose();
});
