import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset } from '@rcnn/coco-data/node';
import { afterAll, expect, test } from 'vitest';
import { call } from './support/program.ts';
import { type Photograph, photograph, type RunningStudio, startStudio, until } from './support/studio.ts';

// The whole way of a person through the studio, by the requests that its page makes; the page itself is tested in
// studio.browser.test.ts.
const root = mkdtempSync(join(tmpdir(), 'cli-studio-'));
const [data, runs] = [join(root, 'data'), join(root, 'runs')];
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What the page sends and gets, for a studio that was just started. */
class Page {
  readonly #origin: string;
  readonly #token: string;
  #cookie = '';

  constructor({ address }: RunningStudio) {
    const [origin, token] = address.split('/#token=') as [string, string];
    this.#origin = origin;
    this.#token = token;
  }

  async ask<T>(method: string, path: string, body?: object | Uint8Array): Promise<T> {
    if (this.#cookie === '' && path !== '/session') await this.ask('POST', '/session', { token: this.#token });
    const isBytes = body instanceof Uint8Array;
    const answer = await fetch(`${this.#origin}/api${path}`, {
      method,
      headers: {
        origin: this.#origin,
        cookie: this.#cookie,
        ...(body && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body && { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    this.#cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? this.#cookie;
    const type = answer.headers.get('content-type') ?? '';
    const content = type.startsWith('application/json') ? await answer.json() : await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(content)}`);
    return content as T;
  }
}

interface Picture {
  readonly key: string;
  readonly revision: string;
  readonly objects: readonly { readonly classId: number; readonly polygons: number[][] }[];
}

interface Run {
  readonly state: string;
  readonly steps: number;
  readonly canResume: boolean;
  readonly log: readonly string[];
}

async function outline(page: Page, picture: Picture, { objects }: Photograph, classes: Map<string, number>) {
  for (const { shape } of objects) {
    if (classes.has(shape)) continue;
    const { id } = await page.ask<{ id: number }>('POST', '/classes', { name: shape });
    classes.set(shape, id);
  }
  const drawn = objects.map(({ shape, corners }) => ({
    classId: classes.get(shape)!,
    polygons: [corners.flat()],
    box: [0, 0, 1, 1],
  }));
  await page.ask('PUT', `/pictures/${picture.key}/objects`, { revision: picture.revision, objects: drawn });
}

test('from eight photographs to a trained model, the studio killed in the middle of it', async () => {
  const photographs = await Promise.all(Array.from({ length: 8 }, (_, i) => photograph(i)));
  mkdirSync(data);
  for (const { name, bytes } of photographs.slice(0, 3)) writeFileSync(join(data, name), bytes);

  // Three lie in the folder, five are uploaded; four are outlined before the studio is killed.
  const first = await startStudio(data, runs);
  const before = new Page(first);
  const classes = new Map<string, number>();
  const keys: Picture[] = [...(await before.ask<{ pictures: Picture[] }>('GET', '/dataset')).pictures];
  expect(keys).toHaveLength(3);
  for (const { name, bytes } of photographs.slice(3)) {
    keys.push(await before.ask<Picture>('POST', `/pictures?name=${name}`, bytes));
  }
  for (let i = 0; i < 4; i++) await outline(before, keys[i]!, photographs[i]!, classes);
  first.process.kill('SIGKILL');
  expect(await first.ended).toBe('SIGKILL');

  const second = await startStudio(data, runs);
  const page = new Page(second);
  const { pictures } = await page.ask<{ pictures: Picture[] }>('GET', '/dataset');
  const counts = photographs.map(({ objects }) => objects.length);
  expect(pictures.map(({ objects }) => objects.length)).toEqual(counts.map((count, i) => (i < 4 ? count : 0)));
  for (let i = 4; i < 8; i++) await outline(page, pictures[i]!, photographs[i]!, classes);
  await page.ask('PUT', `/pictures/${pictures[7]!.key}/split`, { split: 'val' });

  // The studio is killed while it trains: the training goes on, and the next studio sees it, stops it, and goes on with it.
  await page.ask('POST', '/runs', { name: 'shapes', from: 'quick', steps: 200, batchSize: 2 });
  await until(async () => (await page.ask<Run>('GET', '/runs/shapes')).steps >= 1);
  second.process.kill('SIGKILL');
  await second.ended;
  const third = await startStudio(data, runs);
  const last = new Page(third);
  expect((await last.ask<Run>('GET', '/runs/shapes')).state).toBe('running');
  await last.ask('POST', '/runs/shapes/stop');
  const ended = () =>
    until(async () => {
      const run = await last.ask<Run>('GET', '/runs/shapes');
      return (run.state === 'ended' || run.state === 'failed') && run;
    });
  const stopped = await ended();
  expect([stopped.state, stopped.canResume, stopped.steps < 200]).toEqual(['ended', true, true]);
  expect(stopped.log.some((line) => line.includes('everything is saved'))).toBe(true);
  await last.ask('POST', '/runs/shapes/resume', { steps: stopped.steps + 2 });
  const run = await ended();
  expect([run.state, run.steps]).toEqual(['ended', stopped.steps + 2]);

  const other = await photograph(8);
  const found = await last.ask<{ width: number; height: number; objects: { name: string; score: number }[] }>(
    'POST',
    `/try?model=${encodeURIComponent('run:shapes')}`,
    other.bytes,
  );
  expect([found.width, found.height]).toEqual([160, 120]);
  for (const { name, score } of found.objects) expect([classes.has(name), score >= 0.05]).toEqual([true, true]);

  const weights = await last.ask<ArrayBuffer>('GET', '/runs/shapes/weights.safetensors');
  expect(weights.byteLength).toBeGreaterThan(1e6);
  third.process.kill('SIGTERM');
  expect(await third.ended).toBe(0);
  expect(readdirSync(data)).not.toContain('studio.lock');

  // What is left is what every command reads.
  const train = await openDataset(data, { split: 'train' });
  const val = await openDataset(data, { split: 'val' });
  expect([train.length, val.length]).toEqual([7, 1]);
  const { code, out } = await call('doctor', data);
  expect([code, out]).toEqual([0, expect.stringContaining('0 errors, 0 warnings')]);
  const text = readFileSync(join(data, 'annotations', 'instances_train.json'), 'utf8');
  expect(JSON.parse(text).annotations).toHaveLength(counts.slice(0, 7).reduce((sum, count) => sum + count, 0));
});
