import { createReadStream, existsSync } from 'node:fs';
import { type ErrorCode, isRcnnError, quoteName, RcnnError } from '@rcnn/core/errors';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { StartRun, StudioObject } from '../api.ts';
import { Conflict } from '../dataset/dataset-store.ts';
import { disagreementOf } from '../dataset/disagreement.ts';
import { zipOf } from '../dataset/export-zip.ts';
import { problemsOf } from '../dataset/problems.ts';
import { type Shown, show, thumbnail } from '../dataset/show.ts';
import { runEvents } from '../runs/run-events.ts';
import { Guard, HEADERS, UNKNOWN } from './guard.ts';
import { pageFiles } from './page-files.ts';
import * as schemas from './schemas.ts';
import { Studio, type StudioOptions } from './studio.ts';

/** The largest photograph that is taken. */
const MAX_BYTES = 256 * 2 ** 20;

/** What an error means in HTTP; all others are the studio's own (500). */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  CONFIG_INVALID: 400,
  DATASET_INVALID: 400,
  DISK_FULL: 507,
  DUPLICATE_ID: 409,
  FILE_EXISTS: 409,
  FILE_MALFORMED: 400,
  FILE_MISSING: 404,
  IMAGE_CORRUPT: 400,
  IMAGE_MISSING: 404,
  IMAGE_TOO_LARGE: 413,
  IMAGE_TOO_SLOW: 422,
  INTERRUPTED: 503,
  INVALID_ARGUMENT: 400,
  LOCKED: 409,
  PATH_REFUSED: 403,
  POLYGON_INVALID: 400,
  UNKNOWN_ID: 404,
};

/** A studio that can listen. */
export interface StudioServer {
  /**
   * Listens on the loopback interface and nowhere else.
   * @returns the address to open, with the token in it
   */
  listen(port: number): Promise<string>;
  /** Ends it. Trainings that it began are stopped and saved. @returns their names */
  close(): Promise<readonly string[]>;
  /** For tests: requests without a network. */
  readonly app: FastifyInstance;
  readonly guard: Guard;
}

type Keyed = { readonly Params: { readonly key: string } };
type Named = { readonly Params: { readonly name: string } };

/**
 * The studio: a page for one person on this machine, and what it asks for. All that it changes is a dataset folder, and
 * all that it begins are the program's own commands.
 * @throws what opening the dataset throws
 */
export async function createStudio(options: StudioOptions): Promise<StudioServer> {
  const studio = await Studio.open(options);
  const guard = new Guard();
  const files = pageFiles();
  const app = fastify({
    bodyLimit: 32 * 2 ** 20,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
    ajv: { customOptions: { removeAdditional: false } }, // a field that does not exist is a mistake, not nothing
  });
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit: MAX_BYTES }, (_, body, done) =>
    done(null, body),
  );
  app.setErrorHandler((error, _, reply) => sendError(reply, error));
  app.setNotFoundHandler((_, reply) =>
    reply.code(404).send({ code: 'NOT_FOUND', message: 'there is no such address' }),
  );
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(HEADERS);
    const { url = '' } = request.routeOptions;
    const open = files.has(request.url.split('?')[0]!) || url === '/api/session';
    const message = guard.objection(request.method, request.headers, !open);
    if (message === undefined) return done();
    void reply
      .code(message === UNKNOWN ? 401 : 403)
      .send({ code: message === UNKNOWN ? 'UNKNOWN' : 'REFUSED', message });
  });

  app.get('/*', (request, reply) => {
    const file = files.get(request.url.split('?')[0]!);
    if (file === undefined) return reply.callNotFound();
    const cache = file.forever ? 'private, max-age=31536000, immutable' : 'no-cache';
    return reply.type(file.type).header('cache-control', cache).send(file.bytes);
  });
  app.post<{ Body: { token: string } }>('/api/session', { schema: schemas.session }, ({ body }, reply) => {
    if (!guard.isToken(body.token)) return reply.code(401).send({ code: 'UNKNOWN', message: UNKNOWN });
    return reply.header('set-cookie', guard.setCookie).send({});
  });
  addDataset(app, studio);
  addModels(app, studio);
  addRuns(app, studio);
  return {
    app,
    guard,
    async listen(port) {
      const address = await app.listen({ host: '127.0.0.1', port });
      return `${address}/#token=${guard.token}`;
    },
    async close() {
      await app.close();
      return studio.close();
    },
  };
}

function addDataset(app: FastifyInstance, { store }: Studio): void {
  app.get('/api/dataset', () => store.dataset());
  app.get('/api/problems', () => problemsOf(store));
  app.post<{ Querystring: { name: string } }>('/api/pictures', { schema: schemas.upload }, (request) =>
    store.addPicture(request.query.name, bytesOf(request)),
  );
  app.get<Keyed>('/api/pictures/:key', ({ params }) => store.picture(params.key));
  app.delete<Keyed>('/api/pictures/:key', async ({ params }) => {
    await store.removePicture(params.key);
    return {};
  });
  app.put<Keyed & { Body: { revision: string; objects: StudioObject[] } }>(
    '/api/pictures/:key/objects',
    { schema: schemas.objects },
    ({ params, body }) => store.saveObjects(params.key, body.revision, body.objects),
  );
  app.put<Keyed & { Body: { split: 'train' | 'val' } }>(
    '/api/pictures/:key/split',
    { schema: schemas.split },
    ({ params, body }) => store.moveTo(params.key, body.split),
  );
  app.get<Keyed>('/api/pictures/:key/image', async ({ params }, reply) => send(reply, await show(store, params.key)));
  app.get<Keyed & { Querystring: { side?: number } }>(
    '/api/pictures/:key/thumbnail',
    { schema: schemas.size },
    async ({ params, query }, reply) => send(reply, await thumbnail(store, params.key, query.side ?? 320)),
  );
  app.post<{ Body: { name: string } }>('/api/classes', { schema: schemas.className }, ({ body }) =>
    store.addClass(body.name),
  );
  app.put<Keyed & { Body: { name: string } }>('/api/classes/:key', { schema: schemas.className }, ({ params, body }) =>
    store.renameClass(Number(params.key), body.name),
  );
  app.delete<Keyed>('/api/classes/:key', async ({ params }) => {
    await store.removeClass(Number(params.key));
    return {};
  });
  app.get('/api/export/dataset.zip', async (_, reply) => {
    attach(reply, 'dataset.zip');
    return reply.type('application/zip').send(await zipOf(store));
  });
}

function addModels(app: FastifyInstance, studio: Studio): void {
  app.get('/api/models', () => studio.models());
  app.post<{ Body: { picture: string; model: string } }>(
    '/api/proposals',
    { schema: schemas.proposal },
    async ({ body }) => {
      const { weights } = studio.weightsOf(body.model);
      // As it is shown, so that what is proposed lies where it is seen.
      const { bytes } = await show(studio.store, body.picture);
      return studio.model.propose({ weights, bytes, turn: false });
    },
  );
  app.post<{ Body: { picture: string; model: string } }>(
    '/api/disagreements',
    { schema: schemas.proposal },
    async ({ body }) => {
      const { weights } = studio.weightsOf(body.model);
      // The outlines before the model looks: an edit meanwhile has another revision.
      const [picture, { classes }] = [await studio.store.picture(body.picture), await studio.store.dataset()];
      const { bytes } = await show(studio.store, body.picture);
      const { objects } = await studio.model.propose({ weights, bytes, turn: false });
      return disagreementOf(picture, classes, objects);
    },
  );
  app.post<{ Querystring: { model: string } }>('/api/try', { schema: schemas.attempt }, (request) => {
    const { weights } = studio.weightsOf(request.query.model);
    return studio.model.propose({ weights, bytes: bytesOf(request), turn: true });
  });
}

function addRuns(app: FastifyInstance, studio: Studio): void {
  const { runs, store } = studio;
  app.get('/api/runs', () => runs.list());
  app.post<{ Body: StartRun }>('/api/runs', { schema: schemas.startRun }, async ({ body }) => {
    const { pictures, learnedSplit } = await store.dataset();
    const learned = pictures.filter(({ split, objects }) => split === learnedSplit && objects.length > 0);
    const split = store.splits.length > 1 ? learnedSplit : undefined;
    if (learned.length === 0) {
      const where = split === undefined ? '' : ` in ${quoteName(split)}`;
      throw new RcnnError('DATASET_INVALID', {
        where: 'training',
        problem: `there is nothing to learn yet: no picture${where} has an outlined object`,
        hint: 'Open a picture and draw around an object.',
      });
    }
    return runs.start(body, studio.beginningOf(body.from), { split, pictures: learned.length });
  });
  app.get<Named>('/api/runs/:name', ({ params }) => runs.get(params.name));
  app.get<Named>('/api/runs/:name/metrics', ({ params }) => runs.metrics(params.name));
  app.post<Named>('/api/runs/:name/stop', ({ params }) => runs.stop(params.name));
  app.post<Named & { Body: { steps?: number } }>('/api/runs/:name/resume', { schema: schemas.resumeRun }, (request) =>
    runs.resume(request.params.name, request.body.steps),
  );
  app.get<Named>('/api/runs/:name/events', (request, reply) => streamRun(studio, request.params.name, reply));
  app.get<Named & { Params: { file: string } }>('/api/runs/:name/pictures/:file', ({ params }, reply) => {
    return reply.type('image/png').send(createReadStream(runs.picture(params.name, params.file)));
  });
  app.get<Named>('/api/runs/:name/report.html', ({ params }, reply) => {
    const { report } = runs.folderOf(params.name);
    requireFile(report);
    // A page of its own, which may do nothing but show itself.
    void reply.header(
      'content-security-policy',
      "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    );
    return reply.type('text/html; charset=utf-8').send(createReadStream(report));
  });
  app.get<Named>('/api/runs/:name/weights.safetensors', ({ params }, reply) => {
    const { best, last } = runs.folderOf(params.name);
    const file = existsSync(best) ? best : last;
    requireFile(file);
    attach(reply, `${params.name}.safetensors`);
    return reply.type('application/octet-stream').send(createReadStream(file));
  });
  app.get<Named>('/api/runs/:name/model.onnx', async ({ params }, reply) => {
    const bytes = await studio.onnx(params.name);
    attach(reply, `${params.name}.onnx`);
    return reply.type('application/octet-stream').send(bytes);
  });
}

/** Server-sent events: a browser opens the stream again by itself when it breaks, and is told everything anew. */
async function streamRun({ runs }: Studio, name: string, reply: FastifyReply): Promise<void> {
  runs.get(name); // a run that is not there is an answer, not a stream
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
  reply.hijack();
  reply.raw.writeHead(200, headers as Record<string, string>);
  try {
    for await (const event of runEvents(runs, name, gone.signal)) reply.raw.write(`data: ${JSON.stringify(event)}\n\n`);
  } finally {
    reply.raw.end();
  }
}

function bytesOf({ body }: FastifyRequest): Uint8Array {
  if (Buffer.isBuffer(body) && body.length > 0) return body;
  throw new RcnnError('INVALID_ARGUMENT', { where: 'request', problem: 'there is no picture in it' });
}

function send(reply: FastifyReply, { type, bytes }: Shown): FastifyReply {
  return reply.type(type).header('cache-control', 'private, max-age=3600').send(bytes);
}

function attach(reply: FastifyReply, name: string): void {
  void reply.header('content-disposition', `attachment; filename="${name}"`);
}

function requireFile(path: string): void {
  if (!existsSync(path)) throw new RcnnError('FILE_MISSING', { where: path, problem: 'there is no such file' });
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof Conflict)
    return reply.code(409).send({ code: 'CONFLICT', message: error.message, picture: error.picture });
  const { statusCode, message = '', code } = error as { statusCode?: number; message?: string; code?: string };
  const status = isRcnnError(error) ? (STATUS[error.code] ?? 500) : (statusCode ?? 500);
  if (status === 500) reply.log.error(error);
  // The person at the page is the one who started the server, so messages go to it whole.
  return reply.code(status).send({ code: code ?? 'INTERNAL', message });
}
