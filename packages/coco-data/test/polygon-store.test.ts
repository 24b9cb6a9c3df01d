import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import { PolygonStore } from '../src/formats/coco/polygon-store.ts';

test('polygons come back to the last bit, whatever their numbers are', () => {
  const random = new Random(6);
  const store = new PolygonStore();
  const number = (): number =>
    random.pick([
      () => Math.round(random.uniform(-100, 5000) * 100) / 100, // as in COCO
      () => random.uniform(0, 1000),
      () => random.pick([0, -0, 0.1 + 0.2, 5368709.11, 5368709.12, -5368709.12, 21474836.48, 1e300, 5e-324, 1.005]),
      () => random.integer(640),
    ])();
  const given = Array.from({ length: 4000 }, () => {
    const draw = random.chance(0.5) ? number : (): number => Math.round(random.uniform(0, 640) * 100) / 100;
    return Array.from({ length: random.integer(4) }, () => Array.from({ length: 2 * random.integer(300) }, draw));
  });
  const stored = given.map((parts) => store.add(parts));
  for (const [i, parts] of given.entries()) {
    const back = stored[i]!.parts;
    expect(back.length).toBe(parts.length);
    for (const [k, part] of parts.entries()) {
      expect(back[k]).toBeInstanceOf(Float64Array);
      // `===`: the sign of zero means nothing in an image.
      expect(back[k]!.length === part.length && part.every((value, n) => back[k]![n] === value)).toBe(true);
    }
  }
});

test('an outline longer than the store takes at once', () => {
  const store = new PolygonStore();
  const [long, short] = [Array.from({ length: 600_000 }, (_, i) => i / 100), [1, 2, 3, 4, 5.5, 6.25]];
  const [first, second] = [store.add([long, short]), store.add([short])];
  const kept = first.parts[0]!;
  expect([kept.length, long.findIndex((value, i) => kept[i] !== value)]).toEqual([long.length, -1]);
  expect([...first.parts[1]!]).toEqual(short);
  expect(second.parts.map((part) => [...part])).toEqual([short]);
});

test('a message between threads does not take the whole store along', () => {
  const store = new PolygonStore();
  const polygons = store.add([[1, 2, 3, 4, 5, 6]]);
  expect(JSON.stringify(structuredClone(polygons))).toBe('{"kind":"polygons"}');
});
