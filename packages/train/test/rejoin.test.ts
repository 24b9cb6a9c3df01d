import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import type { ProcessGroup } from '@rcnn/distributed';
import { type Ending, inTurns } from '@rcnn/distributed/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type PartialConfig,
  resume,
  type TrainEvent,
  type TrainOptions,
  type TrainResult,
  train,
} from '../src/index.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rejoin-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 4 }, size: [48, 48] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = (name: string): PartialConfig => ({
  data: join(folder, 'data'),
  preset: 'quick',
  arch: tinyMaskRcnn.name,
  minSize: 48,
  maxSize: 48,
  proposals: 20,
  batchSize: 1,
  workers: 0,
  saveEvery: 1,
  steps: 3,
  engine: 'onnxruntime',
  out: join(folder, 'runs'),
  name,
});

const events: TrainEvent[] = [];

function optionsOf(group: ProcessGroup, more: TrainOptions = {}, rejoins = 0): TrainOptions {
  const membership = { rank: group.rank, size: group.size, rejoins, join: async () => group };
  return { architectures: [tinyMaskRcnn], membership, onEvent: (event) => void events.push(event), ...more };
}

/** A rank that is killed before its third step, and is started again. */
async function killed(group: ProcessGroup, name: string): Promise<TrainResult> {
  let asked = 0;
  const shouldStop = (): boolean => {
    if (++asked < 3) return false;
    group.close();
    throw new Error('killed');
  };
  await expect(train(config(name), optionsOf(group, { shouldStop }))).rejects.toThrow('killed');
  const membership = { rank: group.rank, size: group.size, join: () => group.reset().then(() => group) };
  return resume(join(folder, 'runs', name), {}, { architectures: [tinyMaskRcnn], membership });
}

const digest = (endings: readonly Ending<TrainResult>[]): string => {
  const results = endings.map((ending) => {
    if (ending.status === 'rejected') throw ending.reason;
    return ending.value;
  });
  expect(results.map(({ position }) => position.step)).toEqual([3, 3]);
  return createHash('sha256').update(readFileSync(results[0]!.folder.last)).digest('hex');
};

test('a process that is started again joins the other, which stays, and they end as if nothing had been', async () => {
  const whole = digest(await inTurns(2, (group) => train(config('whole'), optionsOf(group))));
  for (const victim of [0, 1]) {
    const name = `lost-${victim}`;
    events.length = 0;
    const endings = await inTurns(2, (group) =>
      group.rank === victim ? killed(group, name) : train(config(name), optionsOf(group, {}, 1)),
    );
    expect(digest(endings)).toBe(whole);
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.text] : []));
    expect(warnings.join()).toMatch(new RegExp(`rank ${victim} has left.*Waiting for it to come back`));
  }
});
