import { readFileSync } from 'node:fs';
import { expectClose } from '@rcnn/core/testing';
import { describe, expect, test } from 'vitest';
import { createSchedule, type ScheduleOptions } from '../src/index.ts';

const { schedules } = JSON.parse(readFileSync(new URL('fixtures/optimizers.json', import.meta.url), 'utf8')) as {
  schedules: Record<string, number[]>;
};

describe("PyTorch's rates over 40 steps", () => {
  const cases: [string, ScheduleOptions][] = [
    ['step', { schedule: 'step', stepEpochs: 15 }],
    ['multistep', { schedule: 'multistep', milestones: [16, 22] }],
    ['cosine', { schedule: 'cosine' }],
    ['poly', { schedule: 'poly', power: 0.9 }],
    ['warmup', { warmupSteps: 9, warmupFactor: 0.001 }],
  ];
  test.each(cases)('%s', (name, options) => {
    const schedule = createSchedule(options, { stepsPerEpoch: 1, totalSteps: 40 });
    const rates = Array.from({ length: 40 }, (_, step) => schedule(step));
    expectClose(rates, schedules[name]!, { absolute: 1e-9, relative: 1e-9 });
  });
});

test('epochs become steps, fractions of them too', () => {
  const schedule = createSchedule(
    { schedule: 'multistep', milestones: [1, 1.5] },
    { stepsPerEpoch: 10, totalSteps: 20 },
  );
  expect([9, 10, 14, 15].map(schedule)).toEqual([1, 0.1, 0.1, 0.1 ** 2]);
});

test('a cosine ends where it was told to', () => {
  const schedule = createSchedule({ schedule: 'cosine', finalFactor: 0.1 }, { stepsPerEpoch: 1, totalSteps: 10 });
  expect(schedule(0)).toBe(1);
  expect(schedule(10)).toBeCloseTo(0.1, 12);
  expect(schedule(15)).toBeCloseTo(0.1, 12); // training may be prolonged
});
