import { expect, test } from 'vitest';
import { ClassMap } from '../src/index.ts';

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
