import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { downloadWheel } from '../src/download.ts';
import { findWheel, indexUrl } from '../src/wheel-index.ts';
import { makeWorkshop } from './helpers/workshop.ts';

const SHA = 'ab'.repeat(32);
const LINUX = 'tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl';

/** A server for one test; gives its address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function html(...anchors: string[]): RequestListener {
  return (_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!DOCTYPE html><body>${anchors.join('<br/>\n')}</body>`);
  };
}

function anchor(filename: string, attributes = ''): string {
  return `<a href="../../files/${filename}#sha256=${SHA}" data-requires-python="&gt;=3.10"${attributes}>${filename}</a>`;
}

describe('the index', () => {
  test('in HTML gives the wheel for Linux x64 of the version', async () => {
    const index = await serve(
      html(
        anchor('tensorflow_cpu-2.21.0-cp310-cp310-win_amd64.whl'),
        anchor('tensorflow_cpu-2.21.0-cp310-cp310-manylinux_2_27_x86_64.whl'),
        anchor(LINUX),
        anchor('tensorflow_cpu-2.21.0-cp313-cp313-manylinux_2_27_x86_64.whl', ' data-yanked="broken"'),
        anchor('tensorflow_cpu-2.21.1-cp313-cp313-manylinux_2_27_x86_64.whl'),
        anchor('tensorflow_cpu-2.21.0-cp313-cp313-manylinux_2_27_aarch64.whl'),
        '<a href="no-digest-2.21.0.whl">no digest</a>',
      ),
    );
    const found = await findWheel('tensorflow-cpu', '2.21.0', `${index}/simple/`);
    expect(found).toEqual({ filename: LINUX, url: `${index}/files/${LINUX}`, sha256: SHA });
  });

  test('in JSON gives the same', async () => {
    const index = await serve((request, response) => {
      expect(request.url).toBe('/simple/tensorflow-cpu/');
      response.setHeader('content-type', 'application/vnd.pypi.simple.v1+json');
      const file = { filename: LINUX, url: `/files/${LINUX}`, hashes: { sha256: SHA } };
      const yanked = { ...file, filename: LINUX.replace('312', '313'), yanked: 'broken' };
      response.end(JSON.stringify({ files: [file, yanked] }));
    });
    const found = await findWheel('tensorflow-cpu', '2.21.0', `${index}/simple`);
    expect(found).toEqual({ filename: LINUX, url: `${index}/files/${LINUX}`, sha256: SHA });
  });

  test('is the one of pip', () => {
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    vi.stubEnv('PIP_INDEX_URL', '');
    expect(indexUrl()).toBe('https://pypi.org/simple');
    vi.stubEnv('PIP_INDEX_URL', 'https://mirror.example/simple');
    expect(indexUrl()).toBe('https://mirror.example/simple');
  });

  test('with a password in its address gets it in a header, and no message shows it', async () => {
    const index = await serve((request, response) => {
      const known = request.headers.authorization === `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
      response.statusCode = known ? 404 : 401;
      response.end();
    });
    const error: unknown = await findWheel('tensorflow-cpu', '2.21.0', index.replace('//', '//me:p%40ss@')).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'DOWNLOAD_FAILED', found: 'HTTP status 404' });
    expect(String(error)).not.toContain('p%40ss');
  });

  test('without the version says so', async () => {
    const index = await serve(html(anchor(LINUX)));
    await expect(findWheel('tensorflow-cpu', '2.99.0', index)).rejects.toMatchObject({ code: 'SETUP_FAILED' });
  });

  test.each([
    ['a page as JSON', '<html>portal</html>', 'DOWNLOAD_FAILED'],
    ['an error as JSON', '{"message":"no"}', 'DOWNLOAD_FAILED'],
    ['null', 'null', 'DOWNLOAD_FAILED'],
    ['files of another kind', '{"files":[null]}', 'DOWNLOAD_FAILED'],
  ])('that answers %s says so', async (_, body, code) => {
    const index = await serve((__, response) => response.setHeader('content-type', 'application/json').end(body));
    await expect(findWheel('tensorflow-cpu', '2.21.0', index)).rejects.toMatchObject({ code });
  });

  test('with names that escape wrongly, or an address that is none', async () => {
    const index = await serve(html(`<a href="100%.whl#sha256=${'0'.repeat(64)}">x</a>`));
    await expect(findWheel('tensorflow-cpu', '2.21.0', index)).rejects.toMatchObject({ code: 'SETUP_FAILED' });
    await expect(findWheel('tensorflow-cpu', '2.21.0', 'http://[')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('that cannot be reached says so, and how to do without', async () => {
    await expect(findWheel('tensorflow-cpu', '2.21.0', 'http://127.0.0.1:1/simple')).rejects.toMatchObject({
      code: 'OFFLINE',
      hint: expect.stringContaining('--wheel') as string,
    });
  });
});

describe('the download', () => {
  const content = Buffer.from('wheel '.repeat(10_000));
  const sha256 = createHash('sha256').update(content).digest('hex');

  test('is the file, and tells how far it is', async () => {
    const host = await serve((_request, response) => {
      response.setHeader('content-length', content.length);
      response.end(content);
    });
    const path = join(makeWorkshop().folder, 'wheel');
    const progress = vi.fn();
    await downloadWheel({ filename: 'x.whl', url: `${host}/x.whl`, sha256 }, path, progress);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(progress).toHaveBeenLastCalledWith(content.length, content.length);
  });

  test('of other bytes is refused', async () => {
    const host = await serve((_request, response) => response.end(`${content.toString()}!`));
    const path = join(makeWorkshop().folder, 'wheel');
    const link = { filename: 'x.whl', url: `${host}/x.whl`, sha256 };
    await expect(downloadWheel(link, path, () => undefined)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('that breaks off is taken up again, and the password stays with its host', async () => {
    const seen: (string | undefined)[] = [];
    const store = await serve((asked, response) => {
      seen.push(asked.headers.authorization);
      const from = Number(/^bytes=(\d+)-$/.exec(asked.headers.range ?? '')?.[1] ?? 0);
      response.statusCode = from === 0 ? 200 : 206;
      if (from > 0) response.setHeader('content-range', `bytes ${from}-${content.length - 1}/${content.length}`);
      response.setHeader('content-length', content.length - from);
      if (seen.length === 1) response.write(content.subarray(0, 1000), () => response.destroy());
      else response.end(content.subarray(from));
    });
    const passwords: (string | undefined)[] = [];
    const index = await serve((asked, response) => {
      passwords.push(asked.headers.authorization);
      response.writeHead(302, { location: `${store.replace('127.0.0.1', 'localhost')}/x.whl` }).end();
    });
    const path = join(makeWorkshop().folder, 'wheel');
    const link = { filename: 'x.whl', url: `${index.replace('//', '//me:secret@')}/x.whl`, sha256 };
    await downloadWheel(link, path, () => undefined, { retryDelay: 1 });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(seen).toEqual([undefined, undefined]);
    const password = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(passwords).toEqual([password, password]);
  });

  test('that breaks off again and again says so, and how to do without', async () => {
    const host = await serve((_request, response) => {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, 1000), () => response.destroy());
    });
    const path = join(makeWorkshop().folder, 'wheel');
    const link = { filename: 'x.whl', url: `${host}/x.whl`, sha256 };
    await expect(downloadWheel(link, path, () => undefined, { attempts: 1 })).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      hint: expect.stringContaining('--wheel') as string,
    });
    expect(existsSync(path)).toBe(false);
  });
});
