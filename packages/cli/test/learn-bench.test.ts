import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Random } from '@rcnn/core';
import type { MetricsLine } from '@rcnn/train';
import { preset, sceneOf } from '@rcnn/transforms';
import { describe, expect, test } from 'vitest';
import { drawChart } from '../bench/learn/chart.ts';
import { distance, medianStepTime, scoresOf, smoothedLoss, WINDOW } from '../bench/learn/compare.ts';
import { AUGMENTED, placementOf } from '../bench/learn/placement.ts';

const steps = (count: number, loss: (step: number) => number): MetricsLine[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'step', step: i + 1, epoch: 0, loss: loss(i + 1), stepTime: i }));

describe('curves of two trainings', () => {
  test('the running mean begins where it has enough steps behind it', () => {
    const curve = smoothedLoss(steps(WINDOW + 2, (step) => step));
    expect(curve.map(([step]) => step)).toEqual([WINDOW, WINDOW + 1, WINDOW + 2]);
    expect(curve[0]![1]).toBeCloseTo((WINDOW + 1) / 2);
    expect(smoothedLoss(steps(WINDOW - 1, () => 1))).toEqual([]);
  });

  test('distances are shares of the other curve, in the steps that both have, up to 200', () => {
    const apart = distance(
      steps(300, () => 1.1),
      steps(250, () => 1),
    )!;
    expect(apart.upTo).toBe(200);
    for (const value of [apart.largest, apart.mean, apart.last]) expect(value).toBeCloseTo(0.1);
    const crossing = distance(
      steps(200, (step) => (step <= 100 ? 0.9 : 1)),
      steps(200, () => 1),
    )!;
    expect(crossing.largest).toBeCloseTo(0.1);
    expect(crossing.mean).toBeLessThan(0.1);
    expect(crossing.last).toBeCloseTo(0);
    expect(
      distance(
        steps(20, () => 1),
        steps(20, () => 1),
      ),
    ).toBeUndefined();
  });

  test('scores and times are read from the same lines', () => {
    const lines: MetricsLine[] = [...steps(5, () => 1), { kind: 'epoch', step: 5, epoch: 0, 'segm/AP': 0.5 }];
    expect(scoresOf(lines, 'segm/AP')).toEqual([[5, 0.5]]);
    expect(medianStepTime(lines)).toBe(2);
    expect(medianStepTime([])).toBeNaN();
  });

  test('the chart has a curve for each, also for one that is empty', () => {
    const svg = drawChart('two <of> them', [
      { title: 'loss', curves: [{ name: 'ours', points: [[1, 2], [2, 1]] }, { name: 'torchvision', points: [] }] }, // biome-ignore format: one line
    ]);
    expect(svg.match(/stroke-width="1.8"/g)).toHaveLength(2);
    expect(svg).toContain('two &lt;of>');
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

test.each(AUGMENTED)('what %s does to an image is told as a window and a flip', (name) => {
  const [height, width] = [300, 400];
  const data = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919) % 251);
  const target = { boxes: Float32Array.of(20, 30, 90, 80, 200, 150, 390, 290), labels: Int32Array.of(1, 1) };
  const seen = new Set<string>();
  for (let index = 0; index < 40; index++) {
    const stream = (): Random => new Random(3).fork('augment', 0, index);
    const { window, flip } = placementOf(name, stream(), [height, width], target);
    seen.add(`${window === undefined ? 'whole' : 'part'}${flip ? ' mirrored' : ''}`);
    const [x, y, w, h] = window ?? [0, 0, width, height];
    const { image } = preset(name).apply(sceneOf({ data, height, width, channels: 3 }, target), stream());
    expect([image.width, image.height]).toEqual([w, h]);
    for (const [row, column] of [[0, 0], [h - 1, 0], [0, w - 1], [h >> 1, w >> 2]] as const) {
      const from = ((y + row) * width + x + (flip ? w - 1 - column : column)) * 3;
      const to = (row * w + column) * 3;
      expect(image.data.slice(to, to + 3)).toEqual(data.slice(from, from + 3));
    }
  } // biome-ignore format: corners in one line
  expect(seen.size).toBe({ none: 1, hflip: 2 }[name as string] ?? 4);
});

describe('a call that cannot be meant is refused in a sentence, with status 2', () => {
  const file = fileURLToPath(new URL('../bench/learn.bench.ts', import.meta.url));
  const call = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', file, ...args], { encoding: 'utf8' });

  test.each([
    [['--dta', 'x'], /Unknown option '--dta'/],
    [[], /--data.*needed/],
    [['--data', 'x', '--weights-backbone', 'y', '--steps', '1e3'], /--steps.*1e3.*whole number/],
    [['--data', 'x', '--weights-backbone', 'y', '--only', 'theirs'], /--only.*theirs.*ours, peer or table/],
    [['--data', 'x', '--weights-backbone', 'y'], /--python.*needed.*torchvision/],
  ])('%j', (args, text) => {
    const { status, stderr } = call(...args);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(text);
    expect(status).toBe(2);
  });
});
