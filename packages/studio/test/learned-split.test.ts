import { expect, test } from 'vitest';
import { learnedSplit } from '../src/dataset/learned-split.ts';

test.each([
  [['test', 'train', 'valid'], 'train'],
  [['test2017', 'train2017', 'val2017'], 'train2017'],
  [['lvis_v1_train', 'lvis_v1_val'], 'lvis_v1_train'],
  [['day_training', 'day_validation'], 'day_training'],
  [['train-extra', 'train'], 'train'], // a whole name before one that begins so
  [['test', 'Training set'], 'Training set'],
  [['dev', 'mine', 'test', 'val'], 'mine'],
  [['test', 'val'], 'test'], // none is there to learn from: the first
  [['val'], 'val'],
])('of %j it is %s', (names, learned) => {
  const splits = names.map((name) => ({ name })) as [{ name: string }, ...{ name: string }[]];
  expect(learnedSplit(splits).name).toBe(learned);
});
