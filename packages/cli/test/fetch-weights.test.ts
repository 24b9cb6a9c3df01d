import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { fetchWeights } from '../src/ranks/fetch-weights.ts';

const folder = mkdtempSync(join(tmpdir(), 'fetch-weights-'));
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url!);
  response.statusCode = 404;
  response.end();
});
let address = '';

beforeAll(async () => {
  vi.stubEnv('RCNN_CACHE', join(folder, 'cache'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Options in a file of their own. */
function fileOf(text: string): string {
  const path = join(folder, 'options.yaml');
  writeFileSync(path, text);
  return path;
}

test('weights are asked for, whether the command line or the file of options names them', async () => {
  await expect(fetchWeights(['train', '--weights', `${address}/line.pth`])).rejects.toThrow(/404/);
  await expect(fetchWeights(['train', '--config', fileOf(`weights: ${address}/file.pth`)])).rejects.toThrow(/404/);
  await expect(fetchWeights(['train', `--config=${fileOf(`weightsBackbone: ${address}/body.pth`)}`])).rejects.toThrow(
    /404/,
  );
  expect([...new Set(asked)]).toEqual(['/line.pth', '/file.pth', '/body.pth']);
});

test('offline, nothing is asked for, whoever says so', async () => {
  asked.length = 0;
  const weights = `weights: ${address}/other.pth`;
  const said = [
    ['train', '--weights', `${address}/other.pth`, '--offline'],
    ['train', '--config', fileOf(`${weights}\noffline: true`)],
  ];
  for (const command of said) await expect(fetchWeights(command)).rejects.toMatchObject({ code: 'OFFLINE' });
  expect(asked).toEqual([]);
});

test('a training from nothing asks for nothing', async () => {
  await fetchWeights(['train', 'photos', '--weights', 'none']);
  expect(asked).toEqual([]);
});
