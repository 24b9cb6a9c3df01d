import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { expect, test } from 'vitest';
import { levelBorders } from '../src/detector/align.ts';

test('a box is read from the level that the formula says, also on a border and beside it', () => {
  const pool = new MultiScaleRoIAlign({ outputSize: 7 });
  const borders = levelBorders(pool);
  expect(borders.map((area) => Math.round(Math.sqrt(area)))).toEqual([112, 224, 448]);
  const levelOf = (area: number): number => borders.filter((border) => area >= border).length;
  const bits = new Int32Array(1);
  const value = new Float32Array(bits.buffer);
  for (const side of [0, 1, 111.99, 112, 112.01, 223.999, 224, 447.9999, 448, 1e4]) {
    value[0] = side * side;
    const middle = bits[0]!;
    for (let step = -40; step <= 40; step++) {
      bits[0] = Math.max(0, middle + step);
      expect(levelOf(value[0]!)).toBe(pool.levelOfArea(value[0]!));
    }
  }
  expect(levelOf(Number.NaN)).toBe(pool.levelOfArea(Number.NaN));
});
