import { isRcnnError, Random } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import { expect, test } from 'vitest';
import { BoxCoder } from '../src/index.ts';

const anchor = Float32Array.of(0, 0, 10, 20);

test('decodes the worked example', () => {
  const decoded = new BoxCoder().decode(Float32Array.of(0.1, 0.2, 0.3, 0.4), anchor);
  expectClose(decoded, [-0.749294, -0.918247, 12.749294, 28.918247], { absolute: 1e-6, relative: 0 });
});

test('encodes the worked example, plain and weighted', () => {
  const gt = Float32Array.of(1, 2, 13, 18);
  const tolerance = { absolute: 1e-6, relative: 0 };
  expectClose(new BoxCoder().encode(gt, anchor), [0.2, 0, 0.182322, -0.223144], tolerance);
  expectClose(new BoxCoder({ weights: [10, 10, 5, 5] }).encode(gt, anchor), [2, 0, 0.911608, -1.115718], tolerance);
});

test('sizes are cut from above only', () => {
  const decoded = new BoxCoder().decode(Float32Array.of(0, 0, 100, -100), anchor);
  expectClose(decoded, [5 - 312.5, 10, 5 + 312.5, 10], { absolute: 1e-3, relative: 0 });
});

test('several sets of deltas per box, one after the other', () => {
  const coder = new BoxCoder();
  const boxes = Float32Array.of(0, 0, 10, 20, 5, 5, 8, 9);
  const deltas = Float32Array.from({ length: 16 }, (_, i) => (i % 5) / 10);
  const decoded = coder.decode(deltas, boxes);
  expectClose(decoded.subarray(4, 8), coder.decode(deltas.subarray(4, 8), boxes.subarray(0, 4)));
  expectClose(decoded.subarray(8, 12), coder.decode(deltas.subarray(8, 12), boxes.subarray(4, 8)));
});

test('decoding undoes encoding', () => {
  const random = new Random(1);
  const draw = (): Float32Array => {
    const rows = Array.from({ length: 50 }, () => {
      const [x, y] = [random.uniform(-50, 900), random.uniform(-50, 900)];
      return [x, y, x + random.uniform(1, 300), y + random.uniform(1, 300)];
    });
    return Float32Array.from(rows.flat());
  };
  const [gt, boxes] = [draw(), draw()];
  const coder = new BoxCoder({ weights: [10, 10, 5, 5], maxLogScale: 10 });
  expectClose(coder.decode(coder.encode(gt, boxes), boxes), gt, { absolute: 2e-3, relative: 1e-5 });
});

test('no boxes', () => {
  expect(new BoxCoder().encode(new Float32Array(), new Float32Array())).toHaveLength(0);
  expect(new BoxCoder().decode(new Float32Array(), new Float32Array())).toHaveLength(0);
});

test('deltas that do not fit the boxes are refused', () => {
  const calls = [
    () => new BoxCoder().encode(anchor, new Float32Array(8)),
    () => new BoxCoder().decode(new Float32Array(6), anchor),
    () => new BoxCoder().decode(new Float32Array(4), new Float32Array()),
  ];
  for (const call of calls) {
    let caught: unknown;
    try {
      call();
    } catch (error) {
      caught = error;
    }
    expect(isRcnnError(caught, 'SHAPE_MISMATCH')).toBe(true);
  }
});
