import { ClassMap } from '@rcnn/coco-data';
import { decodeImage } from '@rcnn/coco-data/node';
import type { Detection, PixelImage } from '@rcnn/core';
import type { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { FastifyInstance } from 'fastify';
import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import { createServer, type Detect, interfaceOf, type ServerOptions } from '../src/index.ts';

// A model of a few lines that really looks: bright pixels are one object.
const bright: Detect = async (images) => images.map(brightOf);

function brightOf({ data, width, height }: PixelImage): Detection[] {
  const bitmap = Uint8Array.from({ length: width * height }, (_, at) => (data[3 * at]! > 128 ? 1 : 0));
  const mask = Mask.fromBitmap(bitmap, [height, width]);
  if (mask.area() === 0) return [];
  const soft = (): Float32Array => Float32Array.from(bitmap);
  return [{ box: mask.box(), label: 1, score: 0.75, mask: Object.assign(mask, { soft }) }];
}

const classes = ClassMap.contiguous([{ id: 7, name: 'lamp' }]);

/** A black picture with a bright rectangle at 2, 3 of 5 by 4 pixels. */
async function photo(width = 20, height = 16): Promise<Buffer> {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 3; y < 7; y++) data.fill(255, 3 * (y * width + 2), 3 * (y * width + 7));
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

let app: FastifyInstance | undefined;
async function serve(options: Partial<ServerOptions> = {}): Promise<FastifyInstance> {
  app = await createServer({ detect: bright, classes, modelVersion: 'test-1', maxWait: 0, ...options });
  return app;
}
afterEach(async () => app?.close());

const PNG = { 'content-type': 'image/png' };
const detect = (server: FastifyInstance, payload: Buffer, query = '', headers: Record<string, string> = PNG) =>
  server.inject({ method: 'POST', url: `/v1/detect${query}`, headers, payload });

describe('an image in', () => {
  test('objects out', async () => {
    const answer = await detect(await serve(), await photo());
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      model: 'test-1',
      height: 16,
      width: 20,
      objects: [
        { box: [2, 3, 7, 7], label: 1, name: 'lamp', categoryId: 7, score: 0.75, polygons: [expect.any(Array)] },
      ],
    });
  });

  test('as run lengths, as a picture, above a score', async () => {
    const server = await serve();
    const { rle } = (await detect(server, await photo(), '?format=rle')).json().objects[0];
    expect(Mask.fromRLE(rle).area()).toBe(20);
    const picture = await detect(server, await photo(), '?format=picture');
    expect(picture.headers['content-type']).toBe('image/png');
    expect(await decodeImage(picture.rawPayload)).toMatchObject({ width: 20, height: 16 });
    expect((await detect(server, await photo(), '?scoreThreshold=0.8')).json().objects).toEqual([]);
  });

  test('as a form', async () => {
    const form = Buffer.concat([
      Buffer.from(
        '--x\r\ncontent-disposition: form-data; name="f"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n',
      ),
      await photo(),
      Buffer.from('\r\n--x--\r\n'),
    ]);
    const answer = await detect(await serve(), form, '', { 'content-type': 'multipart/form-data; boundary=x' });
    expect(answer.json().objects).toHaveLength(1);
  });
});

describe('is refused with a reason', () => {
  test.each([
    ['no image', Buffer.from('hello'), '', PNG, 400, 'IMAGE_CORRUPT'],
    ['nothing', Buffer.alloc(0), '', PNG, 400, 'INVALID_ARGUMENT'],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), '', PNG, 400, 'IMAGE_CORRUPT'],
    ['text', Buffer.from('x'), '', { 'content-type': 'text/html' }, 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE'],
    ['too many bytes', Buffer.alloc(5000), '', PNG, 413, 'FST_ERR_CTP_BODY_TOO_LARGE'],
    ['an option that does not exist', Buffer.from('x'), '?score=1', PNG, 400, 'FST_ERR_VALIDATION'],
    ['a score above 1', Buffer.from('x'), '?scoreThreshold=2', PNG, 400, 'FST_ERR_VALIDATION'],
    ['a form without a boundary', Buffer.from('x'), '', { 'content-type': 'multipart/form-data' }, 400, 'INVALID_ARGUMENT'], // biome-ignore format: rows
    ['a form that is cut', Buffer.from('--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\nab'), '', { 'content-type': 'multipart/form-data; boundary=x' }, 400, 'INVALID_ARGUMENT'], // biome-ignore format: rows
    ['a form with a file that is too large', Buffer.from(`--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\n${'a'.repeat(5000)}\r\n--x--\r\n`), '', { 'content-type': 'multipart/form-data; boundary=x' }, 413, 'FST_REQ_FILE_TOO_LARGE'], // biome-ignore format: rows
    ['a form without a file', Buffer.from('--x--\r\n'), '', { 'content-type': 'multipart/form-data; boundary=x' }, 400, 'INVALID_ARGUMENT'], // biome-ignore format: rows
  ])('%s', async (_, payload, query, headers, status, code) => {
    const answer = await detect(await serve({ maxBytes: 4096 }), payload, query, headers);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
    expect(answer.json().message.length).toBeGreaterThan(5);
  });

  test('too many pixels, before they are decoded', async () => {
    const answer = await detect(await serve({ maxPixels: 100 }), await photo());
    expect([answer.statusCode, answer.json().code]).toEqual([413, 'IMAGE_TOO_LARGE']);
  });

  test('a failure of the model says nothing of the inside', async () => {
    const server = await serve({ detect: () => Promise.reject(new Error('secret path /home')) });
    const answer = await detect(server, await photo());
    expect([answer.statusCode, answer.body.includes('secret')]).toEqual([500, false]);
  });
});

test('whoever runs the server is told what failed', async () => {
  const failures: unknown[] = [];
  const server = await serve({
    detect: () => Promise.reject(new Error('secret')),
    onFailure: (error) => void failures.push(error),
  });
  await detect(server, await photo());
  await detect(server, Buffer.from('no image'));
  expect(failures).toEqual([new Error('secret')]); // what the client did wrong is no failure of the server
});

test('an address of Label Studio that is none is refused at the start', async () => {
  await expect(serve({ labelStudio: { url: 'studio' } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  // A timer of more milliseconds than 31 bits hold goes off at once.
  await expect(serve({ timeout: 2_147_484 })).rejects.toMatchObject({ expected: 'at most 2147483' });
  await expect(serve({ maxWait: 2 ** 31 })).rejects.toMatchObject({ expected: 'at most 2147483647' });
});

test('a score below what the model gives is refused, not answered with what is left', async () => {
  const server = await serve({ leastScore: 0.05 });
  expect((await detect(server, await photo(), '?scoreThreshold=0.05')).json().objects).toHaveLength(1);
  const below = await detect(server, await photo(), '?scoreThreshold=0.04');
  expect([below.statusCode, below.json().message]).toEqual([
    400,
    expect.stringContaining('found 0.04, expected at least 0.05'),
  ]);
});

test('a name that every object has is no place for objects', () => {
  const config = (tag: string): string => `<View><Image name="i" value="$i"/><${tag} name="o" toName="i"/></View>`;
  expect(interfaceOf(config('RectangleLabels')).kind).toBe('rectanglelabels');
  for (const tag of ['constructor', 'toString', '__proto__']) {
    expect(() => interfaceOf(config(tag))).toThrowError(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});

test('large pictures wait for room, and all are answered', async () => {
  const server = await serve({ maxPixels: 400, maxBatch: 1 });
  const sizes = [[20, 20], [10, 10], [20, 16], [8, 10], [20, 19]] as const; // biome-ignore format: sizes
  const payloads = await Promise.all(Array.from({ length: 20 }, (_, i) => photo(...sizes[i % 5]!)));
  const answers = await Promise.all(payloads.map((payload) => detect(server, payload)));
  expect(answers.map((answer) => [answer.statusCode, answer.json().width])).toEqual(
    payloads.map((_, i) => [200, sizes[i % 5]![0]]),
  );
});

/** A model that answers when it is told to. */
function slow(): { readonly detect: Detect; readonly sizes: number[]; go(): void } {
  let open: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const sizes: number[] = [];
  const wait: Detect = async (images, options) => {
    sizes.push(images.length);
    await gate;
    return bright(images, options);
  };
  return { detect: wait, sizes, go: () => open() };
}

const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('under load', () => {
  test('images of one size share a batch; who finds no place gets 429 and when to come again', async () => {
    const model = slow();
    const server = await serve({ detect: model.detect, queue: 6, maxBatch: 3 });
    const first = detect(server, await photo());
    await until(() => model.sizes.length === 1);
    const others = [20, 20, 24, 20, 20].map(async (width) => detect(server, await photo(width)));
    const waiting = async (): Promise<number> => (await server.inject('/ready')).json().waiting;
    while ((await waiting()) < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await server.inject('/ready')).statusCode).toBe(503);
    const refused = await detect(server, await photo());
    expect([refused.statusCode, refused.headers['retry-after'], refused.json().code]).toEqual([429, '1', 'BUSY']);
    expect((await server.inject('/health')).statusCode).toBe(200);
    model.go();
    const answers = await Promise.all([first, ...others]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(answers.map((answer) => answer.json().width)).toEqual([20, 20, 20, 24, 20, 20]);
    expect(model.sizes[0]).toBe(1);
    expect(model.sizes.slice(1).toSorted()).toEqual([1, 1, 3]);
    expect((await detect(server, await photo())).statusCode).toBe(200); // places are given back
    const text = (await server.inject('/metrics')).body;
    expect(text).toContain('mask_rcnn_requests_total{route="/v1/detect",status="429"} 1');
    expect(text).toContain('mask_rcnn_requests_total{route="/v1/detect",status="200"} 7');
  });

  test('one image that the model cannot take costs itself, not its batch', async () => {
    const model = slow();
    const picky: Detect = async (images, options) => {
      const found = await model.detect(images, options);
      if (images.some(({ data }) => data[0] === 255)) throw new Error('a bad one');
      return found;
    };
    const server = await serve({ detect: picky, maxBatch: 4 });
    const first = detect(server, await photo());
    await until(() => model.sizes.length === 1);
    const white = await sharp({ create: { width: 20, height: 16, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    const others = [await photo(), white, await photo()].map((image) => detect(server, image));
    while ((await server.inject('/ready')).json().waiting < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    model.go();
    const answers = await Promise.all([first, ...others]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 500, 200]);
  });

  test('who waits too long is told', async () => {
    const model = slow();
    const server = await serve({ detect: model.detect, timeout: 0.05 });
    const answer = await detect(server, await photo());
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'INTERRUPTED']);
    model.go();
  });

  test('closing answers those that are in', async () => {
    const model = slow();
    const server = await serve({ detect: model.detect });
    const address = await server.listen({ host: '127.0.0.1', port: 0 });
    const answer = fetch(`${address}/v1/detect`, { method: 'POST', headers: PNG, body: new Uint8Array(await photo()) });
    await until(() => model.sizes.length === 1);
    const closed = server.close();
    model.go();
    expect((await answer).status).toBe(200);
    await closed;
    await expect(fetch(`${address}/health`)).rejects.toThrow('fetch failed');
  });

  test('a hundred requests, some of them bad, over real connections', async () => {
    const server = await serve({ queue: 100 });
    const address = await server.listen({ host: '127.0.0.1', port: 0 });
    const good = new Uint8Array(await photo());
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const body = i % 10 === 3 ? good.slice(0, 50) : good;
        const answer = await fetch(`${address}/v1/detect`, { method: 'POST', headers: PNG, body });
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
    expect(statuses.filter((status) => status === 400)).toHaveLength(10);
    expect(statuses.filter((status) => status === 200)).toHaveLength(90);
  });
});

test('the OpenAPI page names every route', async () => {
  const server = await serve();
  const { paths } = (await server.inject('/docs/json')).json();
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/v1/detect', '/health', '/ready', '/metrics', '/']));
  expect((await server.inject('/docs')).statusCode).toBeLessThan(400);
  expect((await server.inject('/nowhere')).json().code).toBe('NOT_FOUND');
});

describe('Label Studio', () => {
  const config = `<View><Image name="image" value="$photo"/>
    <RectangleLabels name="box" toName="image"><Label value="lamp"/></RectangleLabels>
    <PolygonLabels name="shape" toName="image"><Label value="lamp"/></PolygonLabels></View>`;
  // As Label Studio 1.x sends it.
  const request = (photo: string, label_config = config): object => ({
    tasks: [{ id: 17, data: { photo }, meta: {}, project: 3, annotations: [], predictions: [], is_labeled: false }],
    model_version: null,
    project: '3.1732791600',
    label_config,
    params: { login: null, password: null, context: null },
  });
  const post = (server: FastifyInstance, path: string, payload: object) =>
    server.inject({ method: 'POST', url: `/label-studio${path}`, payload });

  test('finds it alive and sets it up', async () => {
    const server = await serve();
    expect((await server.inject('/label-studio/health')).json()).toMatchObject({ status: 'UP' });
    const setup = { project: '3.1732791600', schema: config, hostname: 'http://localhost:8080', access_token: 'x' };
    expect((await post(server, '/setup', setup)).json()).toEqual({ model_version: 'test-1' });
  });

  test('gets polygons in percent', async () => {
    const image = `data:image/png;base64,${(await photo()).toString('base64')}`;
    const { results, model_version } = (await post(await serve(), '/predict', request(image))).json();
    expect(model_version).toBe('test-1');
    expect(results).toHaveLength(1);
    const [{ value, ...about }] = results[0].result;
    expect(about).toEqual({
      from_name: 'shape',
      to_name: 'image',
      type: 'polygonlabels',
      original_width: 20,
      original_height: 16,
      image_rotation: 0,
      score: 0.75,
    });
    expect(value.polygonlabels).toEqual(['lamp']);
    const [x, y] = [0, 1].map((axis) => value.points.map((point: number[]) => point[axis]!)) as [number[], number[]];
    expect([Math.min(...x), Math.max(...x)]).toEqual([10, 35]);
    expect([Math.min(...y), Math.max(...y)]).toEqual([18.75, 43.75]);
  });

  test('one task whose image cannot be used costs itself, and is told', async () => {
    const told: unknown[] = [];
    const image = `data:image/png;base64,${(await photo()).toString('base64')}`;
    const cut = `data:image/png;base64,${(await photo()).subarray(0, 60).toString('base64')}`;
    const tasks = [image, cut, undefined, image].map((given, id) => ({ id, data: { photo: given } }));
    const server = await serve({ onFailure: (error) => told.push((error as RcnnError).code) });
    const { results } = (await post(server, '/predict', { tasks, label_config: config })).json();
    expect(results.map(({ result }: { result: unknown[] }) => result.length)).toEqual([1, 0, 0, 1]);
    expect(results[1]).toEqual({ result: [], score: 0, model_version: 'test-1' });
    expect(told).toEqual(['IMAGE_CORRUPT', 'INVALID_ARGUMENT']);
    const none = await post(server, '/predict', { tasks: [tasks[1]], label_config: config });
    expect([none.statusCode, none.json().code]).toEqual([400, 'IMAGE_CORRUPT']);
  });

  test('gets rectangles where there are no polygons', async () => {
    const boxes = '<View><Image name="i" value="$photo"/><RectangleLabels name="b" toName="i"/></View>';
    const image = `data:image/png;base64,${(await photo()).toString('base64')}`;
    const { results } = (await post(await serve(), '/predict', request(image, boxes))).json();
    const value = { x: 10, y: 18.75, width: 25, height: 25, rotation: 0, rectanglelabels: ['lamp'] };
    expect(results[0].result[0]).toMatchObject({ type: 'rectanglelabels', value });
  });

  test('gives its own images only, with its token', async () => {
    const seen: (string | undefined)[] = [];
    const { fastify } = await import('fastify');
    const studio = fastify();
    const bytes = await photo();
    studio.get('/data/upload/3/a.png', (incoming, reply) => {
      seen.push(incoming.headers.authorization);
      return reply.type('image/png').send(bytes);
    });
    const url = await studio.listen({ host: '127.0.0.1', port: 0 });
    try {
      const server = await serve({ labelStudio: { url, token: 't0k' } });
      const answer = await post(server, '/predict', request('/data/upload/3/a.png'));
      expect([answer.json().results[0].result.length, seen]).toEqual([1, ['Token t0k']]);
      for (const other of ['http://169.254.169.254/latest', 'file:///etc/passwd', '//127.0.0.2/x', 'http://[']) {
        expect((await post(server, '/predict', request(other))).json().code).toBe('FILE_REFUSED');
      }
      expect((await post(server, '/predict', request('/data/none.png'))).statusCode).toBe(502);
      expect((await post(await serve(), '/predict', request('/data/upload/3/a.png'))).statusCode).toBe(403);
    } finally {
      await studio.close();
    }
  });

  test.each(['<View/>', '<View>', 'x', '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>'])('%s is refused', (text) => {
    expect(() => interfaceOf(text)).toThrow(expect.objectContaining({ name: 'RcnnError' }));
  });
});

describe('CVAT', () => {
  test('gets masks as its own functions give them', async () => {
    const server = await serve();
    const payload = { image: (await photo()).toString('base64'), threshold: 0.5 };
    const answer = await server.inject({ method: 'POST', url: '/', payload });
    const [shape] = answer.json();
    expect(shape).toMatchObject({ confidence: '0.75', label: 'lamp', type: 'mask' });
    expect(shape.mask).toEqual([...Array(20).fill(1), 2, 3, 6, 6]);
    expect(shape.points.length).toBeGreaterThanOrEqual(8);
    const none = await server.inject({ method: 'POST', url: '/', payload: { ...payload, threshold: 0.9 } });
    expect(none.json()).toEqual([]);
    expect((await server.inject({ method: 'POST', url: '/', payload: { image: 'AAAA' } })).statusCode).toBe(400);
  });
});
