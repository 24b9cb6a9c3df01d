import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { fetchImage } from '../src/node/images/index.ts';

let server: Server;
afterEach(() => void server.close());

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/photo.jpg`;
}

test('a connection that the server has closed is made anew, once', async () => {
  let asked = 0;
  const address = await serve((request, response) => {
    asked++;
    if (asked === 1) request.socket.destroy();
    else response.end('bytes');
  });
  expect(Buffer.from(await fetchImage(address)).toString()).toBe('bytes');
  expect(asked).toBe(2);
});

test('a server that always closes it, and one that has no such page, are errors with a code', async () => {
  let asked = 0;
  const address = await serve((request) => {
    asked++;
    request.socket.destroy();
  });
  await expect(fetchImage(address)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  expect(asked).toBe(2);
  server.close();
  const missing = await serve((_, response) => void response.writeHead(404).end());
  await expect(fetchImage(missing)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED', found: 'HTTP 404' });
});
