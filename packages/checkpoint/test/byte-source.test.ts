import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { blobSource, bytesSource, openTensors, safetensorsFile, urlSource } from '../src/index.ts';
import { fileSource, loadCheckpoint } from '../src/node/index.ts';
import { collect, expectReject, fixtures, randomTensor, temporaryDirectory } from './helpers.ts';

let file: Buffer;
let url: string;
let ranges: (string | undefined)[];
let behave: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => {
  ranges.push(request.headers.range);
  behave(request, response);
});

beforeAll(async () => {
  file = Buffer.from(await collect(safetensorsFile([randomTensor('a', [1000]), randomTensor('b', [7])]).chunks()));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.safetensors`;
});
afterAll(() => void server.close());
beforeEach(() => {
  ranges = [];
  behave = withRanges;
});

function withRanges(request: IncomingMessage, response: ServerResponse): void {
  const [from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
  response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${file.length}` }).end(file.subarray(from, to + 1));
}

test('a URL is read by ranges: the header, then the tensor that is wanted', async () => {
  const source = await openTensors(await urlSource(url));
  const bytes = await source.tensors.get('b')!.read();
  expect(bytes).toEqual(await randomTensor('b', [7]).read());
  expect(ranges.every((range) => range !== undefined)).toBe(true);
  const asked = ranges.map((range) => /(\d+)-(\d+)/.exec(range!)!.slice(1).map(Number) as [number, number]);
  expect(asked.reduce((sum, [from, to]) => sum + to - from + 1, 0)).toBeLessThan(1000); // the 4,000 bytes of `a` were not
  await source.close();
});

test('a file is read into memory that is given, large reads and small ones, or into new memory where it is too small', async () => {
  const path = join(temporaryDirectory(), 'numbers');
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  writeFileSync(path, bytes);
  const source = await fileSource(path);
  const into = new Uint8Array(60_000);
  for (const [offset, length] of [
    [3, 50_000],
    [7, 10],
    [0, 60_000],
    [0, 70_000],
    [99_990, 10],
  ] as const) {
    const read = await source.read(offset, length, into);
    expect(read).toEqual(bytes.subarray(offset, offset + length));
    expect(read.buffer === into.buffer).toBe(length <= into.length);
  }
  await source.close();
});

test('a server without ranges is read once, whole', async () => {
  behave = (_, response) => void response.end(file);
  const source = await openTensors(await urlSource(url));
  expect((await source.tensors.get('a')!.read()).byteLength).toBe(4000);
  expect(ranges).toHaveLength(1);
});

test('a server that refuses, lies or is not there is a typed error', async () => {
  behave = (_, response) => void response.writeHead(404).end();
  await expectReject(urlSource(url), 'DOWNLOAD_FAILED', 'HTTP 404');
  await expectReject(urlSource('http://127.0.0.1:9/x'), 'DOWNLOAD_FAILED', '127.0.0.1:9');
  behave = (_, response) => void response.writeHead(206, { 'content-range': `bytes 0-0/${file.length}` }).end('{');
  const source = await urlSource(url);
  await expectReject(source.read(0, 100), 'DOWNLOAD_FAILED', '1 bytes');
});

test('an empty file on a server is an empty source', async () => {
  behave = (_, response) => void response.writeHead(416, { 'content-range': 'bytes */0' }).end();
  expect((await urlSource(url)).size).toBe(0);
});

test('files, blobs and memory give the same bytes, and say when there are not enough', async () => {
  const path = join(fixtures, 'pth', 'plain_dict.pth');
  const fromFile = await fileSource(path);
  const all = await fromFile.read(0, fromFile.size);
  for (const source of [fromFile, bytesSource(all), bytesSource(all.buffer), blobSource(new Blob([all]))]) {
    expect(source.size).toBe(all.length);
    expect(await source.read(5, 9)).toEqual(all.slice(5, 14));
    expect((await source.read(all.length, 0)).byteLength).toBe(0);
    await expectReject(source.read(all.length - 1, 2), 'FILE_TRUNCATED', `byte ${all.length - 1}`);
    await source.close();
  }
});

test('memory is never shared with a reader', async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  (await bytesSource(bytes).read(0, 3)).fill(9);
  expect([...bytes]).toEqual([1, 2, 3]);
});

test('what is not a regular file is refused at once', async () => {
  await expectReject(fileSource(join(fixtures, 'none')), 'FILE_MISSING', 'none');
  await expectReject(fileSource(fixtures), 'FILE_REFUSED', 'folder');
});

test.skipIf(process.platform === 'win32')(
  'pipes, devices and sockets are not waited for',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  async () => {
    const directory = temporaryDirectory();
    const pipe = join(directory, 'pipe.pth');
    execFileSync('mkfifo', [pipe]);
    await expectReject(fileSource(pipe), 'FILE_REFUSED', 'a pipe');
    await expectReject(fileSource('/dev/zero'), 'FILE_REFUSED', 'a device');
    const socket = join(directory, 's.pth');
    const server = createSocketServer();
    await new Promise<void>((resolve) => void server.listen(socket, resolve));
    await expectReject(fileSource(socket), 'FILE_REFUSED', 'a socket');
    server.close();
    const empty = join(directory, 'empty.pth');
    writeFileSync(empty, '');
    await expectReject(loadCheckpoint(empty), 'FILE_TRUNCATED', 'the file is empty');
  },
);

test('a Buffer is read like any other bytes: each read is a copy, at a place where numbers may begin', async () => {
  const whole = Buffer.concat([Buffer.alloc(3), file]); // its numbers begin at no multiple of 8
  const source = bytesSource(whole.subarray(3));
  const read = await source.read(4, 16);
  expect([read.byteOffset, read.buffer === whole.buffer]).toEqual([0, false]);
  const tensors = await openTensors(bytesSource(whole.subarray(3)));
  expect(await tensors.tensors.get('b')!.read()).toEqual(await randomTensor('b', [7]).read());
});
