import { expect, test } from 'vitest';
import { Clock } from '../src/loop/clock.ts';

/** Steps that take so many seconds each; what is left after each of them. */
function etas(total: number, seconds: readonly number[]): number[] {
  let now = 0;
  const clock = new Clock(total, () => now);
  return seconds.map((each) => {
    clock.beginStep();
    clock.haveData();
    now += 1000 * each;
    return clock.endStep().eta;
  });
}

test('the first step, which makes the engine ready, counts only while there is no other', () => {
  expect(etas(5, [30, 2, 4, 3])).toEqual([120, 6, 6, 3]);
});

test('a slow beginning is forgotten', () => {
  const left = etas(200, [...new Array<number>(60).fill(10), ...new Array<number>(60).fill(1)]);
  expect(left[59]).toBe(1400);
  expect(left[119]).toBe(80);
});

test('what happens between steps is counted, and the last step leaves nothing', () => {
  let now = 0;
  const clock = new Clock(3, () => now);
  for (const pause of [0, 4000, 4000]) {
    now += pause;
    clock.beginStep();
    now += 500;
    clock.haveData();
    now += 500;
    const { dataTime, stepTime, eta } = clock.endStep();
    expect([dataTime, stepTime]).toEqual([0.5, 1]);
    expect(eta).toBe({ 1000: 2, 6000: 5 }[now] ?? 0);
  }
});
