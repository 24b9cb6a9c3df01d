import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonValue, memoryEntry, type TensorEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { RcnnError } from '@rcnn/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trainingInfoOf } from '../src/files/training-info.ts';
import { AdamW, loadBatch, loadTrainingState, saveTrainingState, WeightAverage } from '../src/index.ts';
import { ready } from './engine.ts';
import { ToyModel } from './toy.ts';

beforeAll(() => ready);
const folder = mkdtempSync(join(tmpdir(), 'hostile-state-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Fields = Record<string, unknown>;

const honest = {
  kind: 'training',
  position: { step: 7, epoch: 2, batch: 1, best: { score: 0.5, epoch: 1 }, stale: 0 },
  seed: 3,
  optimizer: { kind: 'adamw', counters: { updates: 7 } },
  average: { counters: { updates: 7 } },
};

/** `honest` with one field replaced; a function takes it out. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(honest) as Fields;
  const keys = path.split('.');
  const last = keys.pop()!;
  const inside = keys.reduce((at, key) => at[key] as Fields, copy);
  if (typeof value === 'function') delete inside[last];
  else inside[last] = value;
  return copy;
}

const GONE = (): void => undefined;
const NEVER: readonly unknown[] = [GONE, 'abc', '', true, [], [1], Number.NaN, Infinity, -Infinity];
const COUNTS: readonly unknown[] = [...NEVER, null, {}, -1, -5, 2.5, 1e15, 2 ** 53];
const OBJECTS: readonly unknown[] = [...NEVER, null, 5, {}];
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  position: OBJECTS,
  'position.step': COUNTS,
  'position.epoch': [...COUNTS, 8],
  'position.batch': COUNTS,
  'position.stale': [...COUNTS, 3],
  'position.best': [...NEVER, 5, {}],
  'position.best.score': [...NEVER, null, {}],
  'position.best.epoch': [...COUNTS, 2],
  seed: [...NEVER, null, {}, 0.5],
  batchSize: [...COUNTS.slice(1), 0],
  optimizer: OBJECTS,
  'optimizer.kind': [GONE, true, [], 5, null, {}],
  'optimizer.counters': [...NEVER, null, 5],
  'optimizer.counters.updates': COUNTS.slice(1), // gone: the optimizer knows that, not the form
  average: [...NEVER, 5, {}],
  'average.counters': [...NEVER, null, 5],
  'average.counters.updates': COUNTS.slice(1),
  extra: [1],
  'position.extra': [1, null],
  'position.best.extra': [1],
  'optimizer.extra': [1],
  'average.extra': [1],
};

const TABLE = Object.entries(FIELDS).flatMap(([field, values]) => values.map((value) => [field, value] as const));

function errorOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('the info of a training state', () => {
  test('what a training writes comes back', () => {
    const plain = { ...honest, average: null, position: { ...honest.position, best: null } };
    for (const info of [honest, plain]) expect(trainingInfoOf(info, 'last')).toEqual(info);
  });

  test.each(TABLE)('%s: %o is refused by name', (field, value) => {
    const error = errorOf(() => trainingInfoOf(changed(field, value), 'last'));
    expect(error).toBeInstanceOf(RcnnError);
    expect(error).toMatchObject({ code: 'FILE_MALFORMED', where: 'last' });
    const { place, found, expected } = error as RcnnError;
    expect(place).toContain(`__metadata__.rcnn.info.${field}`);
    expect([found, expected].every((text) => text !== undefined && text !== '')).toBe(true);
  });

  test.each([null, 5, [], 'x', {}, undefined, { kind: 'weights' }])('%o is no state of training', (info) => {
    expect(errorOf(() => trainingInfoOf(info, 'last'))).toMatchObject({ code: 'CHECKPOINT_MISMATCH' });
  });

  test('a name from the file is shown escaped', () => {
    const error = errorOf(() => trainingInfoOf(changed('position.step', '\u001b]0;pwned\u0007'), 'last'));
    expect((error as RcnnError).found).toBe("'\\u{1b}]0;pwned\\u{7}'");
  });
});

describe('the file of a training state', () => {
  const path = join(folder, 'last.safetensors');
  const load = async (): Promise<unknown> => {
    const model = new ToyModel(1);
    const parameters = model.namedParameters();
    const state = { model, optimizer: new AdamW(parameters), average: new WeightAverage(parameters, 0.9) };
    try {
      return await loadTrainingState(path, state, 3);
    } catch (error) {
      return error;
    } finally {
      state.optimizer.dispose();
      state.average.dispose();
      model.dispose();
    }
  };

  interface Parts {
    readonly weights: readonly TensorEntry[];
    readonly optimizer: readonly TensorEntry[];
    readonly average: readonly TensorEntry[];
    readonly info: unknown;
  }

  /** Writes a state as `change` makes it, with digests that fit: anybody can do so. */
  async function write(change: (parts: Parts) => Partial<Parts>): Promise<void> {
    const model = new ToyModel(1);
    const parameters = model.namedParameters();
    const state = { model, optimizer: new AdamW(parameters), average: new WeightAverage(parameters, 0.9) };
    state.average.update();
    await saveTrainingState(path, state, { position: honest.position, seed: 3 });
    const file = await loadCheckpoint(path);
    const read = async (entries: Iterable<TensorEntry>): Promise<TensorEntry[]> =>
      Promise.all([...entries].map(async (one) => memoryEntry(one.name, one.dtype, one.shape, await one.read())));
    const weights = await read(file.weights.tensors.values());
    const average = await read(file.groups.get('average')!.tensors.values());
    const [name, { shape, size }] = [...parameters][0]!;
    const mean = memoryEntry(`mean.${name}`, 'float32', shape, new Float32Array(size));
    const all: Parts = { weights, average, optimizer: [mean], info: honest };
    const parts = { ...all, ...change(all) };
    await file.close();
    const groups = { optimizer: parts.optimizer, average: parts.average };
    await saveCheckpoint(path, { weights: parts.weights, groups, info: parts.info as JsonValue });
    state.average.dispose();
    state.optimizer.dispose();
    model.dispose();
  }

  const asBytes = ([first, ...rest]: readonly TensorEntry[]): TensorEntry[] => [
    memoryEntry(first!.name, 'uint8', [first!.byteLength], new Uint8Array(first!.byteLength)),
    ...rest,
  ];
  const asHalves = ([first, ...rest]: readonly TensorEntry[]): TensorEntry[] => [
    memoryEntry(first!.name, 'float16', [...first!.shape], new Uint8Array(first!.byteLength / 2)),
    ...rest,
  ];
  const filled = ([first, ...rest]: readonly TensorEntry[], value: number): TensorEntry[] => [
    memoryEntry(first!.name, 'float32', first!.shape, new Float32Array(first!.byteLength / 4).fill(value)),
    ...rest,
  ];

  test('as it was written it is read', async () => {
    await write(() => ({}));
    expect(await load()).toEqual(honest.position);
  });

  test.each<readonly [string, (parts: Parts) => Partial<Parts>, string]>([
    ['bytes for floats in the optimizer', ({ optimizer }) => ({ optimizer: asBytes(optimizer) }), 'optimizer/mean.'],
    ['bytes for floats in the average', ({ average }) => ({ average: asBytes(average) }), 'average/average.'],
    ['halves for floats', ({ optimizer }) => ({ optimizer: asHalves(optimizer) }), 'optimizer/mean.'],
    ['NaN in the optimizer', ({ optimizer }) => ({ optimizer: filled(optimizer, Number.NaN) }), 'optimizer/mean.'],
    ['infinity in the average', ({ average }) => ({ average: filled(average, Infinity) }), 'average/average.'],
    ['no tensors of the optimizer', () => ({ optimizer: [] }), 'optimizer'],
    ['no tensors of the average', () => ({ average: [] }), 'average'],
    ['no counter', () => ({ info: changed('optimizer.counters.updates', GONE) }), '.optimizer.counters'],
    ['a counter more', () => ({ info: changed('optimizer.counters.more', 1) }), '.optimizer.counters'],
    ['no counter of the average', () => ({ info: changed('average.counters.updates', GONE) }), '.average.counters'],
    ['a step below zero', () => ({ info: changed('position.step', -5) }), '.position.step'],
  ])('%s: refused by place', async (_, change, place) => {
    await write(change);
    const error = await load();
    expect(error).toMatchObject({ code: 'FILE_MALFORMED', where: path });
    expect((error as RcnnError).place).toContain(place);
  });

  test('weights that are not finite are refused', async () => {
    await write(({ weights }) => ({ weights: filled(weights, Number.NaN) }));
    expect(await load()).toBeInstanceOf(RcnnError);
  });
});

describe('the batch of a failed step', () => {
  const path = join(folder, 'batch.safetensors');
  const image = memoryEntry('0.0.image', 'uint8', [1, 1, 3], new Uint8Array(3));
  const labels = memoryEntry('0.0.labels', 'int32', [1, 1], Int32Array.of(1));
  const boxes = memoryEntry('0.0.boxes', 'float32', [1, 4], Float32Array.of(0, 0, 1, 1));
  const one = [{ images: 1, imageIds: [1] }];

  test.each<readonly [string, JsonValue, readonly TensorEntry[]]>([
    ['batches null', null, [image, labels, boxes]],
    ['a batch null', [null], [image, labels, boxes]],
    ['images -1', [{ images: -1, imageIds: [] }], [image, labels, boxes]],
    ['images "1"', [{ images: '1', imageIds: [1] }], [image, labels, boxes]],
    ['very many images', [{ images: 1e15, imageIds: [1] }], [image, labels, boxes]],
    ['ids null', [{ images: 1, imageIds: null }], [image, labels, boxes]],
    ['no image', one, [labels, boxes]],
    ['no labels', one, [image, boxes]],
    ['no boxes', one, [image, labels]],
    ['a flat image', one, [memoryEntry('0.0.image', 'uint8', [3], new Uint8Array(3)), labels, boxes]],
    ['boxes of bytes', one, [image, labels, memoryEntry('0.0.boxes', 'uint8', [1, 4], new Uint8Array(4))]],
    ['int64 labels', one, [image, boxes, memoryEntry('0.0.labels', 'int64', [1, 1], new Uint8Array(8))]],
    ['other masks', one, [image, labels, boxes, memoryEntry('0.0.masks', 'uint8', [1, 2, 2], new Uint8Array(4))]],
  ])('%s: refused', async (_, batches, batch) => {
    await saveCheckpoint(path, { weights: [], groups: { batch }, info: { kind: 'batch', batches } });
    await expect(loadBatch(path)).rejects.toMatchObject({ code: 'FILE_MALFORMED', where: path });
  });

  test('as it should be it is read', async () => {
    const info = { kind: 'batch', batches: one };
    await saveCheckpoint(path, { weights: [], groups: { batch: [image, labels, boxes] }, info });
    expect(await loadBatch(path)).toHaveLength(1);
  });
});
