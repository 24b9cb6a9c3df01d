import { expect, test } from 'vitest';
import { inTodaysWords } from '../src/options/old-spellings.ts';

test.each([
  ['predict a.jpg --json out.json', 'predict a.jpg --results out.json'],
  ['predict a.jpg --json -', 'predict a.jpg --results -'],
  ['predict --json a.jpg', 'predict --json a.jpg'], // a switch, and an image
  ['predict a.jpg --json', 'predict a.jpg --json'],
  ['predict --rpn-post-nms-top-n=20 a.jpg', 'predict --proposals 20 a.jpg'],
  ['--debug preview data --n 3 --preset level1', '--debug preview data --limit 3 --augment level1'],
  ['train data --preset quick', 'train data --preset quick'],
  ['val data --out x', 'val data --results x'],
  ['visualize data --out x', 'visualize data --out x'],
  ['evaluate --gt a.json --dt b.json --json c.json', 'evaluate --gt a.json --dt b.json --numbers c.json'],
  ['convert-data a b --drop', 'convert-data a b --bad-samples skip'],
  ['preview data --n', 'preview data --n'], // the program says what is missing
])('%s', (old, now) => {
  const told: string[] = [];
  expect(inTodaysWords(old.split(' '), (text) => told.push(text)).join(' ')).toBe(now);
  expect(told.length > 0).toBe(old !== now);
});

test('one note for each old word', () => {
  const told: string[] = [];
  inTodaysWords(['preview', '--n', '1', '--n', '2'], (text) => told.push(text));
  expect(told).toEqual(['preview --n is written --limit … now.']);
});
