import type { PixelImage } from '@rcnn/core';
import { describe, expect, test } from 'vitest';
import { crossingSides } from '../src/doctor/outline.ts';
import { Twins } from '../src/doctor/twins.ts';

const image = (change: (data: Uint8Array) => void = () => undefined, width = 200): PixelImage => {
  const data = Uint8Array.from({ length: 3 * width * 100 }, (_, i) => (i * i) % 251);
  change(data);
  return { data, height: 100, width, channels: 3 };
};

describe('images of the same pixels', () => {
  test('are found whatever they are called; the first of them is named', async () => {
    const twins = new Twins<string>();
    const find = (name: string, one: PixelImage) => twins.find(one, name, async () => one);
    expect(await find('a', image())).toBe(undefined);
    expect(
      await find(
        'b',
        image((data) => void (data[0] = 9)),
      ),
    ).toBe(undefined);
    expect(await find('c', image())).toBe('a');
    expect(await find('d', image(undefined, 100))).toBe(undefined);
    expect(await find('e', image())).toBe('a');
  });

  test('one pixel that is not looked at first makes another image', async () => {
    const twins = new Twins<string>();
    let decoded = 0;
    const find = (name: string, one: PixelImage) =>
      twins.find(one, name, async () => {
        decoded++;
        return one;
      });
    for (let i = 1; i < 15; i++)
      expect(
        await find(
          `${i}`,
          image((data) => void (data[i] = 7)),
        ),
      ).toBe(undefined);
    expect(decoded).toBe(1); // the first alone: the others were digested when they came
    expect(
      await find(
        'again',
        image((data) => void (data[3] = 7)),
      ),
    ).toBe('3');
    expect(decoded).toBe(1);
  });

  test('at once, and one that is gone by then is no twin', async () => {
    const twins = new Twins<string>();
    const all = ['a', 'b', 'c'].map((name) => twins.find(image(), name, async () => image()));
    expect(await Promise.all(all)).toEqual([undefined, 'a', 'a']);
    const gone = new Twins<string>();
    expect(await gone.find(image(), 'a', async () => undefined)).toBe(undefined);
    expect(await gone.find(image(), 'b', async () => image())).toBe(undefined);
    expect(await gone.find(image(), 'c', async () => image())).toBe('b');
  });
});

test.each<[string, readonly number[], readonly number[] | undefined]>([
  ['a square', [0, 0, 4, 0, 4, 4, 0, 4], undefined],
  ['a bow', [0, 0, 4, 4, 4, 0, 0, 4], [0, 2]],
  ['a bow whose last side crosses', [0, 0, 4, 0, 0, 4, 4, 4], [1, 3]],
  ['a corner on a side', [0, 0, 4, 0, 4, 4, 2, 0, 0, 4], undefined],
  ['a triangle', [0, 0, 4, 0, 0, 4], undefined],
  ['an upright side', [2, 0, 2, 4, 4, 2, 0, 2], [0, 2]],
])('sides that cross: %s', (_, points, crossing) => expect(crossingSides(points)).toEqual(crossing));
