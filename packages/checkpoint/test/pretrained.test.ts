import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PUBLISHED, publishedWeights, safetensorsFile } from '../src/index.ts';
import { cacheDirectory, type DownloadEvent, loadPretrained, saveCheckpoint } from '../src/node/index.ts';
import { hashInName } from '../src/pretrained/catalogue.ts';
import { torchvisionProfile } from '../src/profile.ts';
import { collect, expectReject, randomTensor, rejection, temporaryDirectory } from './helpers.ts';

const directory = temporaryDirectory();
let file: Buffer;
let hash: string;
let cache: string;
let base: string;
let requests: { url: string; range: string | undefined }[];
/** What the server does next; the default is an honest server with ranges. */
let behave: (request: IncomingMessage, response: ServerResponse) => void;

const server = createServer((request, response) => {
  requests.push({ url: request.url!, range: request.headers.range });
  behave(request, response);
});

beforeAll(async () => {
  const tensors = [randomTensor('a', [50_000]), randomTensor('b', [3])];
  file = Buffer.from(await collect(safetensorsFile(tensors).chunks()));
  hash = createHash('sha256').update(file).digest('hex').slice(0, 8);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => void server.close());
beforeEach(() => {
  cache = mkdtempSync(join(directory, 'cache-'));
  requests = [];
  behave = honest;
});

function honest(request: IncomingMessage, response: ServerResponse, body = file): void {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers: Record<string, string | number> = { 'content-length': body.length - start, etag: '"one"' };
  if (start >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
  } else if (request.headers.range === undefined) {
    response.writeHead(200, headers).end(body);
  } else {
    headers['content-range'] = `bytes ${start}-${body.length - 1}/${body.length}`;
    response.writeHead(206, headers).end(body.subarray(start));
  }
}

/** Breaks the connection when the client says that it has everything; a fixed time might be too short for it. */
let cut: (event: DownloadEvent) => void = () => undefined;

/** Sends the first part of what an honest server would; {@link cut} ends it. */
function cutAfter(bytes: number) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const status = request.headers.range === undefined ? 200 : 206;
    response.writeHead(status, {
      'content-length': file.length - start,
      etag: '"one"',
      ...(status === 206 ? { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` } : {}),
    });
    response.write(file.subarray(start, start + bytes));
    cut = ({ kind, ...event }) => {
      if (kind === 'progress' && 'received' in event && event.received === start + bytes) response.destroy();
    };
  };
}

const named = (): string => `${base}model-${hash}.safetensors`;

test('a file is downloaded once, says so, and is then taken from the cache, also offline', async () => {
  const events: DownloadEvent[] = [];
  const options = { cache, onEvent: (event: DownloadEvent) => void events.push(event) };
  const first = await loadPretrained(named(), options);
  expect([...first.weights.tensors.keys()]).toEqual(['a', 'b']);
  expect(readFileSync(first.path).equals(file)).toBe(true);
  await first.close();
  expect(events[0]).toEqual({ kind: 'begin', url: named(), path: first.path, from: 0, size: file.length });
  expect(events.at(-1)).toEqual({ kind: 'done', url: named(), path: first.path, size: file.length });
  const again = await loadPretrained(named(), { ...options, offline: true });
  await again.close();
  expect(events.at(-1)).toEqual({ kind: 'cached', path: first.path });
  expect(requests).toHaveLength(1);
  expect(readdirSync(cache)).toEqual([`model-${hash}.safetensors`]);
});

test('a cut connection is taken up where it broke', async () => {
  let cuts = 0;
  behave = (request, response) => (cuts++ < 2 ? cutAfter(60_000) : honest)(request, response);
  const events: DownloadEvent[] = [];
  const { path, close } = await loadPretrained(named(), {
    cache,
    retryDelay: 1,
    onEvent: (event) => {
      events.push(event);
      cut(event);
    },
  });
  await close();
  expect(readFileSync(path).equals(file)).toBe(true);
  expect(requests.map(({ range }) => range)).toEqual([undefined, 'bytes=60000-', 'bytes=120000-']);
  expect(events.filter(({ kind }) => kind === 'retry')).toHaveLength(2);
});

test('a download that broke off for good goes on in the next run', async () => {
  behave = cutAfter(60_000);
  await expectReject(
    loadPretrained(named(), { cache, attempts: 1, onEvent: (event) => cut(event) }),
    'DOWNLOAD_FAILED',
    'gave up after 1',
  );
  expect(readdirSync(cache)).toEqual([`model-${hash}.safetensors.part`]);
  behave = honest;
  const { path, close } = await loadPretrained(named(), { cache });
  await close();
  expect(readFileSync(path).equals(file)).toBe(true);
  expect(requests.at(-1)!.range).toBe('bytes=60000-');
  expect(existsSync(`${path}.part`)).toBe(false);
});

test('a part that is whole already is only checked', async () => {
  const path = join(cache, `model-${hash}.safetensors`);
  writeFileSync(`${path}.part`, file);
  await (await loadPretrained(named(), { cache })).close();
  expect(readFileSync(path).equals(file)).toBe(true);
});

test('a server without ranges is read from the beginning', async () => {
  behave = (_, response) => void response.writeHead(200, { 'content-length': file.length }).end(file);
  writeFileSync(join(cache, `model-${hash}.safetensors.part`), file.subarray(0, 1000));
  const { path, close } = await loadPretrained(named(), { cache });
  await close();
  expect(readFileSync(path).equals(file)).toBe(true);
});

test('a server that gives another range is not believed', async () => {
  let answers = 0;
  behave = (request, response) => {
    if (answers++ > 0) return honest(request, response);
    const body = file.subarray(5);
    response.writeHead(206, {
      'content-range': `bytes 5-${file.length - 1}/${file.length}`,
      'content-length': body.length,
    });
    response.end(body);
  };
  writeFileSync(join(cache, `model-${hash}.safetensors.part`), file.subarray(0, 1000));
  const { path, close } = await loadPretrained(named(), { cache, retryDelay: 1 });
  await close();
  expect(readFileSync(path).equals(file)).toBe(true);
});

test('a wrong hash is an error and nothing is kept', async () => {
  const damaged = Buffer.from(file);
  damaged[file.length - 1]! ^= 1;
  behave = (request, response) => honest(request, response, damaged);
  await expectReject(loadPretrained(named(), { cache }), 'DIGEST_MISMATCH', named());
  expect(readdirSync(cache)).toEqual([]);
});

test('404 and 403 are errors at once; 503 is tried again', async () => {
  for (const status of [404, 403]) {
    behave = (_, response) => void response.writeHead(status).end();
    requests = [];
    await expectReject(loadPretrained(named(), { cache }), 'DOWNLOAD_FAILED', `HTTP ${status}`);
    expect(requests).toHaveLength(1);
  }
  let answers = 0;
  behave = (request, response) => (answers++ < 2 ? void response.writeHead(503).end() : honest(request, response));
  await (await loadPretrained(named(), { cache, retryDelay: 1 })).close();
});

test('a server that is not there is an error that names it', async () => {
  const error = await rejection(
    loadPretrained('http://127.0.0.1:9/x-00000000.pth', { cache, attempts: 2, retryDelay: 1 }),
  );
  expect(error.code).toBe('DOWNLOAD_FAILED');
  expect(error.message).toContain('127.0.0.1:9');
});

test('an interrupted download stops and keeps what it has', async () => {
  const stop = new AbortController();
  behave = (_, response) => {
    response.writeHead(200, { 'content-length': file.length });
    response.write(file.subarray(0, 50_000));
  };
  const onEvent = (event: DownloadEvent): void => {
    if (event.kind === 'progress' && event.received === 50_000) stop.abort();
  };
  await expectReject(loadPretrained(named(), { cache, signal: stop.signal, onEvent }), 'INTERRUPTED');
  expect(readFileSync(join(cache, `model-${hash}.safetensors.part`)).length).toBe(50_000);
});

test('a URL without a hash is cached by its address and never resumed from an older run', async () => {
  const first = await loadPretrained(`${base}a/weights.safetensors`, { cache });
  await first.close();
  const second = await loadPretrained(`${base}b/weights.safetensors`, { cache });
  await second.close();
  expect(second.path).not.toBe(first.path);
});

test('a published name asks for its file and takes nothing else for it', async () => {
  await expectReject(loadPretrained('maskrcnn_resnet50_fpn', { cache, baseUrl: base }), 'DIGEST_MISMATCH', 'bf2d0c1e');
  expect(requests[0]!.url).toBe('/maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth');
  await expectReject(loadPretrained('resnet50.IMAGENET1K_V2', { cache, baseUrl: base }), 'DIGEST_MISMATCH', '11ad3fa6');
});

test('offline says what to put where', async () => {
  const error = await expectReject(loadPretrained('resnet18', { cache, offline: true }), 'OFFLINE');
  expect(error.message).toContain('https://download.pytorch.org/models/resnet18-f37072fd.pth');
  expect(error.message).toContain(join(cache, 'resnet18-f37072fd.pth'));
  expect(requests).toHaveLength(0);
});

test('an unknown name lists the known ones', async () => {
  await expectReject(loadPretrained('maskrcnn_resnet5_fpn', { cache }), 'INVALID_ARGUMENT', 'maskrcnn_resnet50_fpn_v2');
});

test('a path is opened as it is; a missing one says so', async () => {
  const path = join(directory, 'mine.safetensors');
  const profile = torchvisionProfile({ source: 'mine', numClasses: 2 });
  await saveCheckpoint(path, { weights: [randomTensor('a', [2])], profile });
  const loaded = await loadPretrained(path);
  expect(loaded.profile).toEqual(profile);
  await loaded.close();
  await expectReject(loadPretrained(join(directory, 'no.pth')), 'FILE_MISSING', 'no.pth');
});

test("a file that is only called like torchvision's does not get its profile", async () => {
  const path = join(directory, 'maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth');
  writeFileSync(path, file);
  const events: DownloadEvent[] = [];
  const loaded = await loadPretrained(path, { onEvent: (event) => void events.push(event) });
  expect(loaded.profile).toBeUndefined();
  expect(events[0]).toMatchObject({ kind: 'warning', path });
  await loaded.close();
});

test('the v1 COCO files have norms without an epsilon, and only they', () => {
  const zero = PUBLISHED.filter(({ profile }) => profile.options['normEpsilon'] === 0).map(({ file: name }) => name);
  expect(zero).toEqual([
    'maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth',
    'fasterrcnn_resnet50_fpn_coco-258fb6c6.pth',
    'keypointrcnn_resnet50_fpn_coco-fc266e95.pth',
  ]);
  const classes = publishedWeights('maskrcnn_resnet50_fpn')!.profile.classes!;
  expect(classes).toHaveLength(80);
  expect(classes.find(({ label }) => label === 13)).toEqual({ label: 13, categoryId: 13, name: 'stop sign' });
  expect(classes.at(-1)).toEqual({ label: 90, categoryId: 90, name: 'toothbrush' });
});

test('the cache directory follows the platform and the environment', () => {
  expect(cacheDirectory({ RCNN_CACHE: '/x' })).toBe('/x');
  expect(cacheDirectory({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe(join('/c', 'rcnn'));
  expect(cacheDirectory({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'rcnn'));
  expect(cacheDirectory({}, 'darwin')).toContain(join('Library', 'Caches', 'rcnn'));
  expect(cacheDirectory({}, 'linux')).toContain(join('.cache', 'rcnn'));
});

test('two processes that want one file do not write into each other', async () => {
  const path = join(cache, `model-${hash}.safetensors`);
  writeFileSync(`${path}.part.lock`, `${hostname()} ${process.ppid}`); // somebody alive has the part
  writeFileSync(`${path}.part`, 'theirs');
  await (await loadPretrained(named(), { cache })).close();
  expect(readFileSync(path).equals(file)).toBe(true);
  expect(readFileSync(`${path}.part`, 'utf8')).toBe('theirs');
  expect(requests[0]!.range).toBeUndefined();
});

test('the lock of a process that is gone is taken over', async () => {
  const path = join(cache, `model-${hash}.safetensors`);
  writeFileSync(`${path}.part.lock`, `${hostname()} 99999999`);
  writeFileSync(`${path}.part`, file.subarray(0, 1000));
  await (await loadPretrained(named(), { cache })).close();
  expect(requests[0]!.range).toBe('bytes=1000-');
  expect(readdirSync(cache)).toEqual([`model-${hash}.safetensors`]);
});

test('a URL without a hash leaves nothing behind when it fails', async () => {
  behave = cutAfter(60_000);
  await expectReject(
    loadPretrained(`${base}plain.safetensors`, { cache, attempts: 1, onEvent: (event) => cut(event) }),
    'DOWNLOAD_FAILED',
  );
  expect(readdirSync(cache)).toEqual([]);
});

test('a date in a name is not taken for a hash', () => {
  expect(hashInName('model-20261120.pth')).toBeUndefined();
  expect(hashInName('resnet18-f37072fd.pth')).toBe('f37072fd');
  for (const { file: name } of PUBLISHED) expect(hashInName(name)).toHaveLength(8);
});

test('a file in the cache is not believed for its name: another one is fetched anew, or refused offline', async () => {
  const path = join(cache, `model-${hash}.safetensors`);
  const other = await collect(safetensorsFile([randomTensor('evil', [3])]).chunks());
  writeFileSync(path, other);
  await expectReject(loadPretrained(named(), { cache, offline: true }), 'DIGEST_MISMATCH', 'cache');
  const events: DownloadEvent[] = [];
  const loaded = await loadPretrained(named(), { cache, onEvent: (event) => void events.push(event) });
  await loaded.close();
  expect([...loaded.weights.tensors.keys()]).toEqual(['a', 'b']);
  expect(events[0]).toMatchObject({ kind: 'warning', path });
});

test('an answer that is no checkpoint is not kept: the next call asks again', async () => {
  behave = (_, response) => void response.end('<html>please log in</html>');
  await expectReject(loadPretrained(`${base}w.safetensors`, { cache }), 'FILE_MALFORMED');
  expect(readdirSync(cache)).toEqual([]);
  behave = honest;
  await (await loadPretrained(`${base}w.safetensors`, { cache })).close();
  expect(requests).toHaveLength(2);
});

test('nothing is written through a link in the place of a part, with and without ranges', async () => {
  const victim = join(cache, 'victim.txt');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, join(cache, `model-${hash}.safetensors.part`));
  const { path, close } = await loadPretrained(named(), { cache });
  await close();
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  expect(readFileSync(path).equals(file)).toBe(true);
  expect(requests[0]!.range).toBeUndefined();
});

test('redirects stay on their host, unless another one is named', async () => {
  const elsewhere = base.replace('127.0.0.1', 'localhost');
  behave = (request, response) => {
    const local = request.url!.startsWith('/local');
    if (request.url!.startsWith('/file')) response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    else if (request.url!.startsWith('/loop')) response.writeHead(302, { location: request.url! }).end();
    else if (local) response.writeHead(302, { location: `/model-${hash}.safetensors` }).end();
    else if (request.headers.host!.startsWith('127')) {
      if (request.url!.includes('away')) response.writeHead(302, { location: `${elsewhere}model.safetensors` }).end();
      else honest(request, response);
    } else honest(request, response);
  };
  await (await loadPretrained(`${base}local.safetensors`, { cache })).close();
  await expectReject(loadPretrained(`${base}away.safetensors`, { cache }), 'DOWNLOAD_FAILED', 'localhost');
  await (await loadPretrained(`${base}away.safetensors`, { cache, redirectHosts: ['localhost'] })).close();
  await expectReject(loadPretrained(`${base}file.safetensors`, { cache }), 'DOWNLOAD_FAILED', 'file:///etc/passwd');
  await expectReject(loadPretrained(`${base}loop.safetensors`, { cache }), 'DOWNLOAD_FAILED', 'redirects');
});

test('with the whole digest any public host with https may have the file, and nobody else', async () => {
  const whole = createHash('sha256').update(file).digest('hex');
  const from = 'https://github.com/me/photos/releases/download/v1/a.pth';
  let asked: string[] = [];
  const redirecting = (location: string) => {
    asked = [];
    const get = (url: string): Promise<Response> => {
      asked.push(url);
      const answer = url === from ? { status: 302, headers: { location } } : {};
      return Promise.resolve(new Response(url === from ? null : new Uint8Array(file), answer));
    };
    return { cache, fetch: get as unknown as typeof fetch };
  };
  const there = 'https://objects.example.org/signed?key=1';
  await (await loadPretrained(`${from}#sha256=${whole}`, redirecting(there))).close();
  expect(asked).toEqual([from, there]);

  const untold = await rejection(loadPretrained(from, redirecting(there)));
  expect([untold.code, untold.found]).toEqual(['DOWNLOAD_FAILED', `'${there}'`]);
  expect(untold.hint).toMatch(/^Put #sha256= and the 64 digits .* give its path\./);

  const other = `${from}#sha256=${'0'.repeat(64)}`;
  for (const inside of [
    'http://objects.example.org/a',
    'https://127.0.0.1/a',
    'https://0x7f.1/a',
    'https://[::1]/a',
    'https://192.168.0.1./a',
    'https://localhost/a',
    'https://printer.local/a',
    'https://intranet/a',
    'file:///etc/passwd',
  ]) {
    const error = await rejection(loadPretrained(other, redirecting(inside)));
    expect([error.code, error.found, asked]).toEqual(['DOWNLOAD_FAILED', `'${inside}'`, [from]]);
    expect(error.hint).toBe(
      'Give an address that stays on public hosts with https, or download the file yourself and give its path.',
    );
  }
  await expectReject(loadPretrained(other, redirecting(there)), 'DIGEST_MISMATCH');
});

test('an address without https needs the whole digest', async () => {
  const asked: string[] = [];
  const get = ((url: string) => (
    asked.push(url), Promise.resolve(new Response(new Uint8Array(file)))
  )) as unknown as typeof fetch;
  const whole = createHash('sha256').update(file).digest('hex');
  await expectReject(loadPretrained('http://example.com/a.pth', { cache, fetch: get }), 'DOWNLOAD_FAILED', 'https');
  await expectReject(loadPretrained(`http://example.com/a-${hash}.pth`, { cache, fetch: get }), 'DOWNLOAD_FAILED');
  expect(asked).toEqual([]);
  await (await loadPretrained(`http://example.com/a.pth#sha256=${whole}`, { cache, fetch: get })).close();
  expect(asked).toEqual(['http://example.com/a.pth']);
  const wrong = `https://example.com/a.pth#sha256=${'0'.repeat(64)}`;
  await expectReject(loadPretrained(wrong, { cache, fetch: get }), 'DIGEST_MISMATCH');
  await expectReject(loadPretrained('https://x.org/a.pth#sha256=12', { cache, fetch: get }), 'INVALID_ARGUMENT');
});

test('a download has a longest size and a longest silence', async () => {
  behave = (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 16)));
    };
    response.on('drain', more);
    more();
  };
  const endless = loadPretrained(`${base}endless.safetensors`, { cache, maxBytes: 1 << 20 });
  await expectReject(endless, 'BUDGET_EXCEEDED', '1048576');
  expect(readdirSync(cache)).toEqual([]);
  behave = (_, response) => void response.writeHead(200, { 'content-length': 9 }).write('x');
  const options = { cache, stallTimeout: 50, attempts: 2, retryDelay: 1 };
  await expectReject(loadPretrained(`${base}stall.safetensors`, options), 'DOWNLOAD_FAILED', 'nothing came');
});

test.runIf(process.platform !== 'win32')(
  'a pipe in place of a lock does not hold the download up',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  async () => {
    const path = join(cache, `model-${hash}.safetensors`);
    execFileSync('mkfifo', [`${path}.part.lock`]);
    await (await loadPretrained(named(), { cache })).close();
    expect(readFileSync(path).equals(file)).toBe(true);
  },
);

test('a lock with our own process number, from before a restart in a container, is stale', async () => {
  const path = join(cache, `model-${hash}.safetensors`);
  writeFileSync(`${path}.part.lock`, `${hostname()} ${process.pid}`);
  writeFileSync(`${path}.part`, file.subarray(0, 1000));
  await (await loadPretrained(named(), { cache })).close();
  expect(requests[0]!.range).toBe('bytes=1000-');
});
