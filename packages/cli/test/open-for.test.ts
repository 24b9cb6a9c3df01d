// Data whose classes have other numbers than the model's: by names where they tell, and never by numbers alone.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassMap } from '@rcnn/coco-data';
import { afterAll, describe, expect, test } from 'vitest';
import { openFor } from '../src/models/open-for.ts';

const root = mkdtempSync(join(tmpdir(), 'open-for-'));
afterAll(() => rmSync(root, { recursive: true }));

const MODEL = ClassMap.contiguous([
  { id: 1, name: 'red' },
  { id: 2, name: 'blue' },
]);

/** One object of each class, numbered as given. */
function data(name: string, classes: Readonly<Record<string, number>>): string {
  const categories = Object.entries(classes).map(([title, id]) => ({ id, name: title }));
  const annotations = categories.map(({ id }, i) => ({ id: i + 1, image_id: 1, category_id: id, bbox: [2, 3, 6, 6] }));
  const images = [{ id: 1, file_name: 'a.png', width: 20, height: 12 }];
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, 'annotations.json'), JSON.stringify({ images, annotations, categories }));
  return join(root, name);
}

describe.each(['fail', 'drop'] as const)('policy %s', (policy) => {
  const named = async (path: string): Promise<readonly string[]> => {
    const dataset = await openFor(MODEL, path, { policy });
    return dataset.annotations(0).map(({ categoryId }) => dataset.classes.nameOf(dataset.classes.labelOf(categoryId)!));
  };

  test('numbers the other way round', async () => {
    expect(await named(data(`turned ${policy}`, { blue: 1, red: 2 }))).toEqual(['blue', 'red']);
  });

  test('numbers that the model has not', async () => {
    expect(await named(data(`others ${policy}`, { red: 1, blue: 7 }))).toEqual(['red', 'blue']);
  });

  test('a number that means something else', async () => {
    await expect(named(data(`green ${policy}`, { red: 1, green: 2 }))).rejects.toMatchObject({
      code: 'LABEL_OUT_OF_RANGE',
      found: "2 'green'",
      expected: "2 'blue'",
    });
  });
});

test('a class that the model has not is left out with a count where that was asked for', async () => {
  const path = data('more', { red: 1, blue: 2, green: 3 });
  await expect(openFor(MODEL, path, {})).rejects.toMatchObject({ code: 'LABEL_OUT_OF_RANGE', found: "3 'green'" });
  const dataset = await openFor(MODEL, path, { policy: 'drop' });
  expect(dataset.annotations(0)).toHaveLength(2);
  expect(dataset.problems.list(0)).toContainEqual(expect.objectContaining({ kind: 'category-unmapped', count: 1 }));
});
