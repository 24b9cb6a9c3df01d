import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkConvolutions, defaultConvolutions } from '../src/convolutions.ts';
import { BACKEND_NAME, type Convolutions, configure, OrtBackend } from '../src/index.ts';
import { prefersWinograd } from '../src/kernels/convolution/winograd/choice.ts';
import { clearUnused, stripsOf, tilingOf } from '../src/kernels/convolution/winograd/tiles.ts';
import { expectSamePasses, registerOther, type Shape } from './passes.ts';

/** Both ways in one process: the backend of the other way has a name of its own, and the same kernels. */
const OTHER = 'onnxruntime-direct';

beforeAll(async () => {
  configure({ convolutions: 'winograd' });
  registerOther(OTHER, 'direct');
  await tf.setBackend(BACKEND_NAME);
});

const SHAPES: readonly Shape[] = [
  { n: 1, h: 1, w: 1, inChannels: 4, outChannels: 4, pad: 'same' },
  { n: 2, h: 3, w: 3, inChannels: 8, outChannels: 12, pad: 'valid' },
  { n: 1, h: 4, w: 8, inChannels: 16, outChannels: 16, pad: 'same' },
  { n: 3, h: 5, w: 7, inChannels: 20, outChannels: 4, pad: 1 },
  { n: 2, h: 17, w: 9, inChannels: 64, outChannels: 36, pad: 2 },
  { n: 1, h: 6, w: 6, inChannels: 4, outChannels: 68, pad: 0 },
  { n: 1, h: 21, w: 2, inChannels: 32, outChannels: 8, pad: 'same' },
  // several strips, of which the last is smaller
  { n: 2, h: 70, w: 131, inChannels: 64, outChannels: 64, pad: 'same' },
];

describe.each(SHAPES)('$n x $h x $w, $inChannels to $outChannels channels, pad $pad', (shape) => {
  test('as directly, with the same bits each time, and nothing is left over', async () => {
    await expectSamePasses(BACKEND_NAME, OTHER, shape);
  });
});

test('what is not finite stays in its tile', async () => {
  await tf.setBackend(BACKEND_NAME);
  const x = tf.buffer<tf.Rank.R4>([1, 8, 12, 4]);
  x.set(Number.NaN, 0, 0, 0, 0);
  const y = tf.tidy(() => tf.conv2d(x.toTensor(), tf.ones([3, 3, 4, 4]), 1, 'same'));
  const values = (await y.array()) as number[][][][];
  expect(values[0]![0]![0]![0]).toBeNaN();
  expect(values[0]![7]![11]![0]).toBe(0);
  y.dispose();
});

test('strips cover all rows of tiles once', () => {
  const tiling = tilingOf({ n: 3, h: 37, w: 50 });
  expect(tiling).toEqual({ across: 13, down: 10, rows: 30 });
  const strips = stripsOf(tiling, 128, 100, 1e9);
  expect(strips.map(({ first, count }) => [first, count])).toEqual([[0, 8], [8, 8], [16, 8], [24, 6]]); // biome-ignore format: pairs
  expect(stripsOf(tiling, 128, 100, 1).length).toBe(30); // a row at least
});

test('the rule: wide layers of large maps, fewer of them with many threads', () => {
  const backend = (convolutions: Convolutions, threads = 2) => new OrtBackend({ convolutions, threads });
  const size = (side: number, channels: number) => ({ n: 1, h: side, w: side, inChannels: channels, outChannels: channels }); // biome-ignore format: one line
  const [two, many] = [backend('auto'), backend('auto', 16)];
  for (const kind of ['map', 'filter'] as const) {
    expect(prefersWinograd(two, kind, size(100, 256))).toBe(true);
    expect(prefersWinograd(two, kind, size(100, 16))).toBe(false);
    expect(prefersWinograd(two, kind, size(4, 256))).toBe(false); // a tile does not pay for the filter
    expect(prefersWinograd(many, kind, size(100, 128))).toBe(false);
    expect(prefersWinograd(backend('direct'), kind, size(100, 256))).toBe(false);
    expect(prefersWinograd(backend('winograd'), kind, size(4, 16))).toBe(true);
  }
});

test('whole models are quicker for narrow networks, for many threads, and where Winograd is switched off', () => {
  const areQuicker = (convolutions: Convolutions, threads: number, channels: number) =>
    new OrtBackend({ convolutions, threads }).modelsAreQuicker(channels);
  expect(areQuicker('auto', 2, 64)).toBe(true);
  expect(areQuicker('auto', 1, 128)).toBe(false);
  expect(areQuicker('auto', 2, 256)).toBe(false);
  expect(areQuicker('auto', 32, 256)).toBe(true);
  expect(areQuicker('direct', 2, 256)).toBe(true);
});

test.each([64, 63])('strips of %d tiles have planes of an odd number, and what is added is zero', (across) => {
  const tiling = { across, down: 3, rows: 3 };
  const [strip] = stripsOf(tiling, 8, 1, 1e9);
  expect(strip).toEqual({ first: 0, count: 1, tiles: across | 1 });
  const planes = new Float32Array(36 * strip!.tiles * 2).fill(Number.NaN);
  clearUnused(tiling, strip!, 2, planes);
  const cleared = planes.map((value, i) => Number(Object.is(value, 0) && Math.floor(i / 2) % strip!.tiles === across));
  expect(cleared.reduce((sum, one) => sum + one, 0)).toBe(across % 2 === 0 ? 36 * 2 : 0);
  expect(planes.filter((value) => !Number.isNaN(value)).length).toBe(across % 2 === 0 ? 36 * 2 : 0);
});

test('the variable of the environment, and what it may say', () => {
  expect(defaultConvolutions({})).toBe('auto');
  expect(defaultConvolutions({ RCNN_KERNELS: '' })).toBe('auto');
  expect(defaultConvolutions({ RCNN_KERNELS: 'direct' })).toBe('direct');
  expect(() => defaultConvolutions({ RCNN_KERNELS: 'Winograd' })).toThrow(
    /RCNN_KERNELS: found "Winograd", expected auto, direct, winograd/,
  );
  expect(() => checkConvolutions('', 'convolutions')).toThrow(/BAD_OPTION/);
});
