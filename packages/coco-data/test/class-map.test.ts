import { describe, expect, test } from 'vitest';
import { renumbered } from '../src/doctor/renumber.ts';
import { ClassMap, Dataset, Problems } from '../src/index.ts';

const categories = [
  { id: 18, name: 'dog' },
  { id: 1, name: 'person' },
  { id: 90, name: 'toothbrush' },
];

test('contiguous labels follow the category ids and leave 0 to the background', () => {
  const map = ClassMap.contiguous(categories);
  expect(map.numClasses).toBe(4);
  expect(map.names).toEqual(['background', 'person', 'dog', 'toothbrush']);
  expect([1, 18, 90, 2].map((id) => map.labelOf(id))).toEqual([1, 2, 3, undefined]);
  expect([1, 2, 3].map((label) => map.categoryOf(label))).toEqual([1, 18, 90]);
});

test('ids as labels keep the gaps: 91 outputs for COCO', () => {
  const map = ClassMap.ids(categories);
  expect(map.numClasses).toBe(91);
  expect(map.labelOf(18)).toBe(18);
  expect(map.names[18]).toBe('dog');
  expect(map.names[17]).toBe('');
});

test('it travels as JSON', () => {
  const map = ClassMap.contiguous(categories);
  expect(ClassMap.fromJSON(JSON.parse(JSON.stringify(map)))).toEqual(map);
});

test('a label of 0, an unknown label and a double are refused', () => {
  expect(() => ClassMap.ids([{ id: 0, name: 'a' }])).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
  expect(() => ClassMap.ids(categories).nameOf(2)).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
  expect(() => ClassMap.ids([...categories, { id: 1, name: 'b' }])).toThrow(
    expect.objectContaining({ code: 'DUPLICATE_ID' }),
  );
});

describe("a model's map on other data", () => {
  const set = (names: readonly string[]) => ({
    source: 'val',
    images: [{ id: 1, file: 'a.png', size: [10, 10] as const }],
    annotations: names.map((_, i) => ({
      id: i + 1,
      imageId: 1,
      categoryId: i + 1,
      box: [1, 1, 5, 5] as const,
      crowd: false,
    })),
    categories: names.map((name, i) => ({ id: i + 1, name })),
  });
  const store = { load: () => Promise.reject(new Error('no pixels')) };
  const map = ClassMap.contiguous(set(['cat', 'dog', 'eel']).categories);
  const open = (given: ReturnType<typeof set>, policy: 'fail' | 'drop' = 'fail') =>
    Dataset.from(given as never, store, new Problems(), { classes: map, policy });

  test('an id that means something else is an error that names both; letter case is not', () => {
    expect(() => open(set(['cat', 'eel']))).toThrow(
      expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE', found: "2 'eel'", expected: "2 'dog'" }),
    );
    expect(open(set(['Cat', 'DOG '])).length).toBe(1);
    // To leave bad records out is no leave to take dogs for eels.
    expect(() => open(set(['cat', 'eel']), 'drop')).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE' }));
  });

  test('objects of a class that the map lacks are refused, or left out and counted', () => {
    const given = set(['cat', 'dog', 'eel', 'fox']);
    expect(() => open(given)).toThrow(expect.objectContaining({ code: 'LABEL_OUT_OF_RANGE', found: "4 'fox'" }));
    const dataset = open(given, 'drop');
    expect(dataset.annotations(0).map(({ categoryId }) => categoryId)).toEqual([1, 2, 3]);
    expect(dataset.problems.list()).toMatchObject([
      { kind: 'category-unmapped', count: 1, examples: [{ found: "4 'fox'" }] },
      { kind: 'masks-missing' },
    ]);
  });

  test('names without ids of their own get those of the map', () => {
    const { categories, annotations } = renumbered(set(['dog', 'eel', 'fox']) as never, map);
    expect(categories.map(({ id, name }) => `${id} ${name}`)).toEqual(['2 dog', '3 eel', '4 fox']);
    expect(annotations.map(({ categoryId }) => categoryId)).toEqual([2, 3, 4]);
  });
});
