import { describe, expect, test } from 'vitest';
import { Counter } from '../src/output/counter.ts';
import { imageIds } from '../src/predict/image-ids.ts';
import { inWords, plural } from '../src/predict/words.ts';

const names = new Map([
  [1, 'person'],
  [2, 'dog'],
  [3, '日本'],
]);
const found = (...labels: number[]) => labels.map((label) => ({ box: [0, 0, 1, 1] as const, label, score: 1 }));

test.each([
  [found(2, 1, 1), '2 persons, 1 dog'],
  [found(), 'nothing found'],
  [found(1, 2), '1 dog, 1 person'],
  [found(3, 3, 9), '2 日本, 1 class 9'],
])('%#: %s', (detections, words) => expect(inWords(detections, names)).toBe(words));

test.each([
  ['bus', 'buses'],
  ['wine glass', 'wine glasses'],
  ['teddy bear', 'teddy bears'],
  ['butterfly', 'butterflies'],
  ['key', 'keys'],
  ['sheep', 'sheep'],
  ['constructor', 'constructors'],
  ['knife', 'knives'],
  ['x2', 'x2'],
  ['Größe 1', 'Größe 1'],
])('%s, %s', (one, many) => expect(plural(one)).toBe(many));

describe('image ids', () => {
  test.each([
    [
      ['a/000000000139.jpg', 'b/cat.png'],
      [139, 'cat'],
    ],
    [
      ['a/0001.png', 'b/0001.png'],
      ['a/0001', 'b/0001'],
    ],
    [
      ['1.png', '0001.png', '2.png'],
      ['1', '0001', 2],
    ],
    [
      ['x/a.png', 'x/a.jpg'],
      ['x/a.png', 'x/a.jpg'],
    ],
    [
      ['a\\7.png', 'b\\7.png'],
      ['a/7', 'b/7'],
    ],
    [['12345678901234567.png'], ['12345678901234567']], // beyond what a number keeps
    [
      ['a/x.png', 'x.png', 'a/x.jpg'],
      ['a/x.png', 'x', 'a/x.jpg'],
    ],
  ])('%j are %j', (files, ids) => {
    const known = imageIds(files);
    expect(files.map((file) => known.get(file))).toEqual(ids);
    expect(new Set(known.values()).size).toBe(files.length);
  });
});

test('a counter says how far, how fast, how long', () => {
  const counter = new Counter(8);
  for (let i = 0; i < 2; i++) counter.done('x');
  expect(counter.text(4)).toBe('▇▇▇▇▇▇──────────────────  2/8  0.5 images/s  0:12 left');
  const camera = new Counter(undefined, 'frames');
  camera.done('x');
  expect(camera.text(0.05)).toBe('1 frames  20 frames/s');
});
