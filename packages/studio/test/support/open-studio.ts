import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import sharp from 'sharp';
import { createStudio, type Program, type StudioDataset } from '../../src/index.ts';

/** An answer of the studio. */
export interface Called {
  readonly status: number;
  // Answers have many forms; a test says by its expectations which one it means.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: ReturnType<typeof JSON.parse>;
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A studio that is asked without a network, as its page asks. */
export interface TestStudio {
  readonly app: FastifyInstance;
  readonly cookie: string;
  get(url: string): Promise<Called>;
  post(url: string, payload: object): Promise<Called>;
  put(url: string, payload: object): Promise<Called>;
  delete(url: string): Promise<Called>;
  upload(name: string, bytes: Buffer): Promise<Called>;
  dataset(): Promise<StudioDataset>;
  close(): Promise<readonly string[]>;
}

const HOST = '127.0.0.1:80';

export async function openStudio(
  folder: string,
  program: Program = [process.execPath, '-e', ''],
  answer: readonly string[] = [],
): Promise<TestStudio> {
  const { app, guard, close } = await createStudio({ folder, runs: join(folder, '..', 'runs'), program, answer });
  const cookie = guard.setCookie.split(';')[0]!;
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    payload?: object | Buffer,
  ): Promise<Called> => {
    const type = Buffer.isBuffer(payload) ? { 'content-type': 'application/octet-stream' } : {};
    const headers = { host: HOST, cookie, ...(method !== 'GET' && { origin: `http://${HOST}` }), ...type };
    const answered = await app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
    const isJson = String(answered.headers['content-type']).startsWith('application/json');
    return {
      status: answered.statusCode,
      json: isJson ? answered.json() : undefined,
      bytes: answered.rawPayload,
      headers: answered.headers,
    };
  };
  let closed: Promise<readonly string[]> | undefined;
  return {
    app,
    cookie,
    get: (url) => call('GET', url),
    post: (url, payload) => call('POST', url, payload),
    put: (url, payload) => call('PUT', url, payload),
    delete: (url) => call('DELETE', url),
    upload: (name, bytes) => call('POST', `/api/pictures?name=${encodeURIComponent(name)}`, bytes),
    dataset: async () => (await call('GET', '/api/dataset')).json,
    close: () => (closed ??= close()),
  };
}

/** A picture with something on it. */
export function photo(width: number, height: number): Promise<Buffer> {
  const data = Buffer.alloc(width * height * 3, 40);
  for (let y = 5; y < 15; y++) data.fill(220, 3 * (y * width + 4), 3 * (y * width + 14));
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
