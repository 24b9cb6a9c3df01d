import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { torchvisionProfile } from '@rcnn/checkpoint';
import { parseConfig, readMetrics } from '@rcnn/train';
import { checkProfile } from '../../../../packages/checkpoint/src/profile.ts';
import { trainingInfoOf } from '../../../../packages/train/src/files/training-info.ts';
import { readDataRecord } from '../../../../packages/train/src/run/data-record.ts';
import { changedValue } from '../mutate.ts';
import { bytesOf, type Target, textOf } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-fuzz-run-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Puts the bytes into a file, and gives its path. */
function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const info = {
  kind: 'training',
  position: { step: 7, epoch: 2, batch: 1, best: { score: 0.5, epoch: 1 }, stale: 0 },
  seed: 3,
  optimizer: { kind: 'adamw', counters: { updates: 7 } },
  average: { counters: { updates: 7 } },
};
const profile = torchvisionProfile({
  source: 'fuzz',
  architecture: 'maskrcnn_small',
  numClasses: 3,
  classes: [
    { label: 1, categoryId: 1, name: 'x' },
    { label: 2, categoryId: 5, name: 'y' },
  ],
});
const data = { train: { images: 3, objects: 5, sha256: 'ab' }, val: { images: 1, objects: 1, sha256: 'cd' } };
const options = {
  data: 'photos',
  preset: 'quick',
  steps: 10,
  batchSize: 2,
  model: { minSize: 48, maxSize: 64 },
  augment: 'level1',
  learningRate: 'auto',
};
const YAML = `# options\ndata: photos\npreset: quick\nsteps: 10\nmodel:\n  minSize: 48\naugment: "level1"\n`;
const METRICS = [
  { kind: 'step', step: 1, epoch: 0, loss: 2.5, time: 0.1 },
  { kind: 'epoch', step: 3, epoch: 0, 'segm/AP': 0.1 },
];

const json = (name: string, share: number, value: unknown, read: (value: unknown) => unknown): Target => ({
  name,
  share,
  seeds: [bytesOf(value)],
  invent: (random) => bytesOf(changedValue(value, random)),
  read(bytes) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(textOf(bytes));
    } catch {
      return undefined;
    }
    return read(parsed);
  },
});

export const runFolder: readonly Target[] = [
  json('training-info', 20, info, (value) => trainingInfoOf(value, 'fuzz')),
  json('profile', 20, profile, (value) => checkProfile(value, 'fuzz', 'profile')),
  {
    name: 'options',
    share: 2,
    seeds: [bytesOf(YAML), bytesOf(options)],
    words: ['- ', '&a ', '*a', '!!binary ', '<<: ', '? ', '|', '>-', '---', '...', '#', 'yes', '012', '%YAML 1.1\n'],
    invent: (random) => bytesOf(changedValue(options, random)),
    read: (bytes) => parseConfig(textOf(bytes), 'fuzz'),
  },
  {
    name: 'metrics',
    share: 5,
    seeds: [bytesOf(METRICS.map((line) => `${JSON.stringify(line)}\n`).join(''))],
    words: ['"kind":"step"', '\n'],
    invent: (random) => bytesOf(METRICS.map((line) => `${JSON.stringify(changedValue(line, random))}\n`).join('')),
    read: (bytes) => readMetrics(file('metrics.jsonl', bytes)),
  },
  {
    name: 'data-record',
    share: 5,
    seeds: [bytesOf(data)],
    invent: (random) => bytesOf(changedValue(data, random)),
    read: (bytes) => readDataRecord(file('data.json', bytes)),
  },
];
