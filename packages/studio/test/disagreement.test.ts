import { expect, test } from 'vitest';
import { disagreementOf } from '../src/dataset/disagreement.ts';
import type { KeptObject, Proposal, StudioPicture } from '../src/index.ts';

const classes = [
  { id: 1, name: 'Balloon' },
  { id: 7, name: 'kite' },
];

type Box = KeptObject['box'];
const outline = ([x1, y1, x2, y2]: Box): number[] => [x1, y1, x2, y1, x2, y2, x1, y2];

function object(classId: number, box: Box, more: Partial<KeptObject> = {}): KeptObject {
  return {
    id: box[0] + 1,
    classId,
    box,
    polygons: [outline(box)],
    area: (box[2] - box[0]) * (box[3] - box[1]),
    ...more,
  };
}

function seen(name: string, box: Box, score = 0.9): Proposal {
  return { name, score, box, polygons: [outline(box)] };
}

function compare(objects: readonly KeptObject[], proposals: readonly Proposal[]) {
  const picture: StudioPicture = {
    key: 'train:1',
    file: 'a.png',
    split: 'train',
    width: 100,
    height: 60,
    revision: 'r',
    objects,
  };
  const { revision, ...counts } = disagreementOf(picture, classes, proposals);
  expect(revision).toBe('r');
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

const at: Box = [10, 10, 30, 30];

test('each way to disagree is counted once', () => {
  expect(compare([object(1, at)], [seen('balloon', at)])).toEqual({});
  expect(compare([object(1, at)], [])).toEqual({ missed: 1 });
  expect(compare([object(1, at)], [seen('balloon', at), seen('kite', [60, 10, 80, 30])])).toEqual({ extra: 1 });
  expect(compare([object(1, at)], [seen('balloon', at), seen('balloon', [11, 10, 31, 30], 0.8)])).toEqual({ twice: 1 });
  expect(compare([object(1, at)], [seen('kite', at)])).toEqual({ otherClass: 1 });
  expect(compare([object(1, at)], [seen('balloon', [10, 10, 18, 30])])).toEqual({ otherOutline: 1 });
  expect(compare([], [])).toEqual({});
});

test('what the model hardly believes, and what the dataset has no name for, is no disagreement', () => {
  expect(compare([object(1, at)], [seen('balloon', at), seen('kite', [60, 10, 80, 30], 0.4)])).toEqual({});
  expect(compare([object(1, at)], [seen('balloon', at), seen('person', [60, 10, 80, 30])])).toEqual({});
});

test('in a crowd nothing is extra; an object with a box alone is compared by its box', () => {
  const crowd = object(1, [40, 0, 100, 60], { editable: false });
  expect(compare([crowd], [seen('balloon', [50, 10, 60, 20]), seen('balloon', [70, 10, 80, 20])])).toEqual({});
  const boxed = object(1, at, { polygons: [] });
  expect(compare([boxed], [seen('balloon', at)])).toEqual({});
  expect(compare([boxed], [seen('balloon', [60, 10, 80, 30])])).toEqual({ missed: 1, extra: 1 });
});
