import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset, writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataChanges, dataRecordOf, readDataRecord } from '../src/run/data-record.ts';

const root = mkdtempSync(join(tmpdir(), 'train-data-record-'));
const file = join(root, 'annotations/instances_train.json');
beforeAll(() => writeShapes(root, { splits: { train: 3 }, size: [48, 64] }));
afterAll(() => rmSync(root, { recursive: true }));

const record = async () => dataRecordOf({ train: await openDataset(root), val: undefined });

test('the same data have the same record; any change of an annotation is told', async () => {
  const before = await record();
  expect(dataChanges(before, await record())).toEqual([]);
  const json = JSON.parse(readFileSync(file, 'utf8')) as { annotations: { segmentation: number[][] }[] };
  json.annotations[0]!.segmentation[0]![0]! += 0.25;
  writeFileSync(file, JSON.stringify(json));
  const moved = await record();
  expect(dataChanges(before, moved)).toEqual([expect.stringMatching(/training data have changed.*still 3 images/)]);
  json.annotations.pop();
  writeFileSync(file, JSON.stringify(json));
  expect(dataChanges(moved, await record())[0]).toMatch(
    /3 images with \d+ objects then, 3 images with \d+ objects now/,
  );
  expect(dataChanges({ ...moved, val: moved.train! }, moved)).toEqual([
    expect.stringMatching(/validation data have changed.*then, none now/),
  ]);
});

test.each(['', '{', 'null', '5'])('a damaged record %j is none', (text) => {
  writeFileSync(join(root, 'data.json'), text);
  expect(readDataRecord(join(root, 'data.json'))).toBeUndefined();
});
