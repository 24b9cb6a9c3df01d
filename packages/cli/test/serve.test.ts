import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { patchesArchitecture, savePatches } from './support/patches-architecture.ts';
import { type Call, callWith } from './support/program.ts';
import { picture } from './support/stand-in.ts';

// The command serve from its start to its end; what the server answers is tested in @rcnn/serve.
const root = mkdtempSync(join(tmpdir(), 'cli-serve-'));
const weights = join(root, 'weights.safetensors');

beforeAll(() => savePatches(weights));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const serve = (port: number, ...args: string[]): Promise<Call> =>
  callWith(
    { architectures: [patchesArchitecture] },
    'serve',
    '--weights',
    weights,
    '--engine',
    'cpu',
    '--port',
    String(port),
    ...args,
  );

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function alive(address: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${address}/health`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.each([[[]], [['--slice', '16']]])('%j: answers until a signal ends it', async (options) => {
  const port = await freePort();
  const running = serve(port, ...options);
  const address = `http://127.0.0.1:${port}`;
  await alive(address);
  const { data, width, height } = picture([12, 24], [[3, 2, 4, 1], [10, 6, 4, 2]]); // biome-ignore format: rows
  const raw = { width, height, channels: 3 } as const;
  const png = await sharp(Buffer.from(data.buffer as ArrayBuffer), { raw })
    .png()
    .toBuffer();
  const headers = { 'content-type': 'image/png' };
  const answer = await fetch(`${address}/v1/detect`, { method: 'POST', headers, body: new Uint8Array(png) });
  const { model, objects } = (await answer.json()) as { model: string; objects: { name: string; box: number[] }[] };
  expect([model, answer.status]).toEqual(['patches', 200]);
  expect(objects.map(({ name }) => name).toSorted()).toEqual(['circle', 'square']);
  expect(objects.find(({ name }) => name === 'circle')!.box).toEqual([3, 2, 7, 6]);
  const taken = await fetch(`${address}/ready`);
  expect(taken.status).toBe(200);
  process.emit('SIGTERM', 'SIGTERM');
  const { code, out, err } = await running;
  expect([code, out]).toEqual([0, `listening on ${address}; its options: ${address}/docs\n`]);
  expect(err).toContain('SIGTERM: answering what came in');
  await expect(fetch(`${address}/health`)).rejects.toThrow('fetch failed');
});

test('a port that is taken is named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  try {
    const { code, err } = await serve(port);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(new RegExp(`error IO_FAILED: 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`)),
    ]);
  } finally {
    other.close();
  }
});
