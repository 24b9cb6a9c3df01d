import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PartialConfig, resume, type TrainEvent, train } from '../src/index.ts';
import { ready } from './engine.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

const folder = mkdtempSync(join(tmpdir(), 'rcnn-first-weights-'));
const data = join(folder, 'shapes');
const cacheBefore = process.env['RCNN_CACHE'];
// Many pieces, and no weights: what is read of them does not matter here.
const server = createServer((_, response) => response.end(Buffer.alloc(4_000_000)));

beforeAll(async () => {
  process.env['RCNN_CACHE'] = join(folder, 'cache');
  await ready;
  await writeShapes(data, { splits: { train: 4 }, size: [64, 64], objects: [1, 1], tiny: 0, seed: 8 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  if (cacheBefore === undefined) delete process.env['RCNN_CACHE'];
  else process.env['RCNN_CACHE'] = cacheBefore;
  rmSync(folder, { recursive: true, force: true });
});

test('weights that are downloaded are told of once, with their address, size and place', async () => {
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/body.pth`;
  const notes: string[] = [];
  const training = train(
    { data, preset: 'quick', weightsBackbone: address, out: join(folder, 'runs') },
    { onEvent: (event) => void (event.kind === 'note' && notes.push(event.text)) },
  );
  await expect(training).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
  const told = notes.filter((text) => /body\.pth|MB/.test(text));
  expect(told).toEqual([expect.stringMatching(`^downloading ${address} \\(4\\.0 MB\\) to .*body\\.pth$`)]);
});

test('offline, nothing is asked for: the error says what to put where', async () => {
  let asked = 0;
  const count = (): void => void asked++;
  server.on('request', count);
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/other.pth`;
  for (const start of [{ weights: address }, { weightsBackbone: address }]) {
    const training = train({ data, preset: 'quick', ...start, offline: true, out: join(folder, 'runs') });
    await expect(training).rejects.toMatchObject({ code: 'OFFLINE', expected: expect.stringMatching(/other\.pth$/) });
  }
  server.off('request', count);
  expect(asked).toBe(0);
});

test('a run goes on without the file of its first weights, with the same bits', async () => {
  const architectures = [tinyMaskRcnn];
  const config = (changes: PartialConfig): PartialConfig => ({
    data,
    preset: 'quick',
    arch: tinyMaskRcnn.name,
    model: { minSize: 64, maxSize: 64, proposals: 50 },
    batchSize: 2,
    steps: 2,
    workers: 0,
    engine: 'onnxruntime',
    out: join(folder, 'runs'),
    ...changes,
  });
  const first = await train(config({ name: 'first', steps: 1 }), { architectures });
  const weights = join(folder, 'first.safetensors');
  cpSync(first.folder.last, weights);
  const whole = await train(config({ name: 'whole', weights }), { architectures });
  let steps = 0;
  const onEvent = ({ kind }: TrainEvent): void => void (kind === 'step' && steps++);
  const stopped = await train(config({ name: 'parts', weights }), {
    architectures,
    onEvent,
    shouldStop: () => steps > 0,
  });
  expect(stopped).toMatchObject({ reason: 'stopped', position: { step: 1 } });
  rmSync(weights);
  const parts = await resume(stopped.folder.path, {}, { architectures });
  const bits = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
  expect(parts.position.step).toBe(2);
  expect(bits(parts.folder.last)).toBe(bits(whole.folder.last));
});

describe('a run that is gone on with reads no other weights', () => {
  const run = join(folder, 'begun');
  beforeAll(() => {
    mkdirSync(join(run, 'checkpoints'), { recursive: true });
    writeFileSync(join(run, 'checkpoints/last.safetensors'), '');
    writeFileSync(join(run, 'config.yaml'), `data: ${join(folder, 'nowhere')}\nweights: first.safetensors\n`);
  });

  test.each([
    [{ weights: 'other.safetensors' }, 'weights', "'other.safetensors'", "'first.safetensors', as the run began"],
    [{ weights: 'none' }, 'weights', "'none'", "'first.safetensors', as the run began"],
    [{ weightsBackbone: 'resnet50' }, 'weightsBackbone', "'resnet50'", "'none', as the run began"],
  ])('%j is refused', async (changes, place, found, expected) => {
    const error = { code: 'CONFIG_INVALID', where: join(run, 'config.yaml'), place, found, expected };
    await expect(resume(run, changes)).rejects.toMatchObject(error);
  });

  // These come as far as the data, which are not there.
  test.each([[{}], [{ weights: 'first.safetensors' }], [[{ weights: 'none' }, { weights: 'first.safetensors' }]]])(
    '%j is not',
    async (changes) => {
      await expect(resume(run, changes, { useEngine: async () => ({ name: 'cpu' }) })).rejects.toThrow(/nowhere/);
    },
  );
});
