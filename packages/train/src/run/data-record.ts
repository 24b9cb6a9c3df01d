import { createHash } from 'node:crypto';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { Dataset } from '@rcnn/coco-data';
import { counted } from '@rcnn/core/errors';
import { z } from 'zod';
import type { RunFolder } from '../files/folder.ts';
import { readHistory } from '../files/run-file.ts';
import type { Listener } from '../loop/events.ts';
import type { TrainingData } from './data.ts';

/** One split as a run saw it. */
interface SplitRecord {
  readonly images: number;
  readonly objects: number;
  /** Over every image record and annotation; pixels are not read. */
  readonly sha256: string;
}

/** What a run learns from and is measured on, as `data.json` keeps it: whether a resumed run still sees the same. */
export type DataRecord = Readonly<Partial<Record<'train' | 'val', SplitRecord>>>;

export function dataRecordOf({ train, val }: Pick<TrainingData, 'train' | 'val'>): DataRecord {
  return { train: splitRecordOf(train), ...(val && { val: splitRecordOf(val) }) };
}

const split = z.object({ images: z.number(), objects: z.number(), sha256: z.string() });
const form = z.object({ train: split.optional(), val: split.optional() });

/** The record of a run folder; undefined for runs that have none, or none that can be read. */
export function readDataRecord(file: string): DataRecord | undefined {
  const { train, val } = readHistory(file, form) ?? {};
  return train === undefined ? undefined : { train, ...(val && { val }) };
}

/** What changed, in a sentence for each split. Empty when nothing did. */
export function dataChanges(before: DataRecord, now: DataRecord): string[] {
  const parts = { train: 'training', val: 'validation' } as const;
  return (['train', 'val'] as const).flatMap((part) => {
    const [old, current] = [before[part], now[part]];
    if (old?.sha256 === current?.sha256) return [];
    const [then, today] = [inWords(old), inWords(current)];
    const what = then === today ? `still ${today}, but others than then` : `${then} then, ${today} now`;
    return [`The ${parts[part]} data have changed since this run began: ${what}.`];
  });
}

/** Remembers the data in the run folder, and says so when a resumed run has other ones. */
export async function recordData(
  folder: RunFolder,
  data: TrainingData,
  resuming: boolean,
  onEvent: Listener,
): Promise<void> {
  const record = dataRecordOf(data);
  const before = resuming ? readDataRecord(folder.data) : undefined;
  for (const text of before === undefined ? [] : dataChanges(before, record)) onEvent({ kind: 'warning', text });
  await atomicWrite(folder.data, `${JSON.stringify(record, null, 1)}\n`);
}

function inWords(record: SplitRecord | undefined): string {
  return record === undefined ? 'none' : `${counted(record.images, 'image')} with ${counted(record.objects, 'object')}`;
}

function splitRecordOf(dataset: Dataset): SplitRecord {
  const hash = createHash('sha256');
  let objects = 0;
  dataset.images.forEach(({ id, file, size }, index) => {
    hash.update(JSON.stringify([id, file, size]));
    for (const { categoryId, box, crowd, segmentation } of dataset.annotations(index)) {
      objects++;
      hash.update(Float64Array.of(categoryId, ...box, crowd ? 1 : 0));
      if (segmentation?.kind === 'polygons') for (const part of segmentation.parts) hash.update(part);
      else if (segmentation?.kind === 'rle') hash.update(segmentation.counts);
      else if (segmentation) hash.update(segmentation.runs.counts);
    }
  });
  return { images: dataset.length, objects, sha256: hash.digest('hex') };
}
