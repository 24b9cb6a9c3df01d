import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { ClassMap } from '@rcnn/coco-data';
import { decodeImage, readImageHeader } from '@rcnn/coco-data/node';
import type { Detection, PixelImage } from '@rcnn/core';
import { addressOf } from '@rcnn/core/address';
import { type ErrorCode, isRcnnError, RcnnError } from '@rcnn/core/errors';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { type MaskFormat, objectsOf } from './answers.ts';
import { Batcher, type Detect } from './batcher.ts';
import { type CvatRequest, cvatShapes } from './cvat.ts';
import {
  interfaceOf,
  type LabelStudioAccess,
  type LabelStudioRequest,
  type LabelStudioResult,
  labelStudioResult,
  taskImage,
} from './label-studio.ts';
import { type Limits, limitsOf } from './limits.ts';
import { Metrics } from './metrics.ts';
import { annotatedPng } from './picture.ts';
import { PixelRoom } from './room.ts';
import * as schemas from './schemas.ts';

export interface ServerOptions extends Partial<{ readonly [Name in keyof Limits]: number | undefined }> {
  readonly detect: Detect;
  /** What labels are called. Default `class 1`, … */
  readonly classes?: ClassMap | undefined;
  /** Which model this is, as clients are told. */
  readonly modelVersion: string;
  /** Least score of an answer unless a request says otherwise. Default 0.5. */
  readonly scoreThreshold?: number | undefined;
  /** Least score that `detect` gives: a request for lower ones is refused. Default 0. */
  readonly leastScore?: number | undefined;
  /** A pixel is object above this probability unless a request says otherwise. Default 0.5. */
  readonly maskThreshold?: number | undefined;
  /** Turn photographs as their EXIF orientation says. Default true. */
  readonly autoOrient?: boolean | undefined;
  /** Where Label Studio is: the one place from which images are fetched. */
  readonly labelStudio?: LabelStudioAccess | undefined;
  /**
   * Told what made an answer 500: the client is not, for it may say how the house looks inside. And what is wrong with the
   * image of one task of several, whose answer is then empty.
   */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

interface DetectQuery {
  readonly scoreThreshold?: number;
  readonly maskThreshold?: number;
  readonly format: MaskFormat | 'picture';
}

/** Seconds after which a client that was refused for want of room should come again. */
const RETRY_AFTER = 1;

/** Pictures as large as allowed that are held in memory at once; smaller ones share the room. */
const LARGEST_AT_ONCE = 2;

/** Seconds in which a client must have sent its request. */
const SEND_SECONDS = 30;

/** What an error of the image or the call means in HTTP; all others are the server's own (500). */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  IMAGE_CORRUPT: 400,
  IMAGE_INVALID: 400,
  INVALID_ARGUMENT: 400,
  FILE_MALFORMED: 400,
  FILE_REFUSED: 403,
  IMAGE_TOO_LARGE: 413,
  IMAGE_TOO_SLOW: 422,
  DOWNLOAD_FAILED: 502,
  INTERRUPTED: 503,
};

/**
 * A detector behind HTTP. Not listening yet: `await server.listen({ host: '127.0.0.1', port: 8080 })`; `server.close()`
 * takes no new requests, answers those that are in, and settles. Whoever reaches it may use it: it asks for no password.
 * @throws INVALID_ARGUMENT
 */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { queue, maxBatch, maxWait, timeout, maxBytes, maxPixels } = options;
  const limits = limitsOf({ queue, maxBatch, maxWait, timeout, maxBytes, maxPixels });
  const { classes, modelVersion, labelStudio } = options;
  if (labelStudio !== undefined) addressOf(labelStudio.url, 'serve: Label Studio');
  const app = fastify({
    bodyLimit: limits.maxBytes,
    requestTimeout: 1000 * SEND_SECONDS,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { removeAdditional: false } }, // an option that does not exist is a mistake, not nothing
  });
  const batcher = new Batcher(options.detect, limits, (size, seconds) => {
    metrics.batches.observe(size);
    metrics.batchSeconds.observe(seconds);
  });
  const metrics = new Metrics(() => batcher.waiting);
  const room = new PixelRoom(LARGEST_AT_ONCE * limits.maxPixels);
  let inside = 0;
  let closing = false;

  await app.register(multipart, { limits: { fileSize: limits.maxBytes, files: 1, fields: 10 } });
  await app.register(swagger, { openapi: schemas.openapi });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  for (const type of ['application/octet-stream', /^image\//]) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  }

  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.requests.inc({ route, status: String(reply.statusCode) });
    metrics.seconds.observe({ route }, reply.elapsedTime / 1000);
    done();
  });
  app.setErrorHandler((error, _, reply) => sendError(reply, error, options.onFailure));
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ code: 'NOT_FOUND', message: `${request.method} ${request.url.slice(0, 200)}: no such route` }),
  );

  /** Takes a place in the house before the body is read, and gives it back when the answer or the client is gone. */
  const enter = (_: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    if (inside >= limits.queue) {
      const message = `${limits.queue} requests are waiting; come again in ${RETRY_AFTER} s`;
      void reply.code(429).header('retry-after', RETRY_AFTER).send({ code: 'BUSY', message });
      return;
    }
    inside++;
    reply.raw.once('close', () => void inside--);
    done();
  };

  /** What is in an image, given to `use` while there is room for its pixels. */
  const find = async <T>(
    bytes: Uint8Array,
    reply: FastifyReply,
    {
      scoreThreshold = options.scoreThreshold ?? 0.5,
      maskThreshold = options.maskThreshold ?? 0.5,
    }: Partial<DetectQuery>,
    use: (image: PixelImage, found: readonly Detection[]) => T,
  ): Promise<T> => {
    requireScore(scoreThreshold, options.leastScore);
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    if (reply.raw.destroyed) leave(); // it went while an image was fetched
    reply.raw.once('close', leave);
    const timer = setTimeout(leave, 1000 * limits.timeout);
    try {
      const { size } = await readImageHeader(bytes, 'image');
      return await room.hold(size[0] * size[1], gone.signal, async () => {
        const orientation = options.autoOrient === false ? 'ignore' : 'apply';
        const image = await decodeImage(bytes, { maxPixels: limits.maxPixels, orientation });
        const all = await batcher.find(image, maskThreshold, gone.signal);
        const found = all.filter(({ score }) => score >= scoreThreshold);
        metrics.objects.inc(found.length);
        return use(image, found);
      });
    } finally {
      clearTimeout(timer);
      reply.raw.off('close', leave);
    }
  };

  app.post<{ Querystring: DetectQuery }>(
    '/v1/detect',
    { schema: schemas.detect, onRequest: enter },
    async (request, reply) => {
      const { format } = request.query;
      const answer = await find(await imageOf(request), reply, request.query, (image, found) => {
        if (format === 'picture') return annotatedPng(image, found, classes);
        const { height, width } = image;
        return { model: modelVersion, height, width, objects: objectsOf(found, classes, format) };
      });
      return Buffer.isBuffer(answer) ? reply.type('image/png').send(answer) : answer;
    },
  );

  app.get('/health', { schema: schemas.health }, () => ({ status: 'UP', model_class: modelVersion }));
  app.get('/ready', { schema: schemas.ready }, (_, reply) => {
    const ready = !closing && inside < limits.queue;
    return reply.code(ready ? 200 : 503).send({ ready, inside, waiting: batcher.waiting });
  });
  app.get('/metrics', { schema: schemas.metrics }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  // Label Studio's ML backend: name this address, with /label-studio behind it, in the settings of a project.
  app.get('/label-studio/health', () => ({ status: 'UP', model_class: modelVersion }));
  app.post('/label-studio/setup', () => ({ model_version: modelVersion }));
  app.post<{ Body: LabelStudioRequest }>(
    '/label-studio/predict',
    { schema: schemas.labelStudio, onRequest: enter },
    async ({ body }, reply) => {
      const place = interfaceOf(body.label_config);
      const look = async ({ data }: LabelStudioRequest['tasks'][number]): Promise<LabelStudioResult> => {
        const bytes = await taskImage(data[place.field], labelStudio, limits.maxBytes);
        return find(bytes, reply, {}, ({ height, width }, found) =>
          labelStudioResult(found, [height, width], place, classes),
        );
      };
      const results = await eachTask(body.tasks, look, options.onFailure);
      return { results: results.map((one) => ({ ...one, model_version: modelVersion })), model_version: modelVersion };
    },
  );

  // CVAT sends to the root of a nuclio function.
  app.post<{ Body: CvatRequest }>('/', { schema: schemas.cvat, onRequest: enter }, async ({ body }, reply) => {
    const { threshold } = body;
    const query = threshold === undefined ? {} : { scoreThreshold: threshold };
    return find(Buffer.from(body.image, 'base64'), reply, query, (_, found) => cvatShapes(found, classes));
  });

  return app;
}

/**
 * What is found in each task. One whose image cannot be used costs itself and is told; where that is all of them, the
 * first error is the answer.
 */
async function eachTask(
  tasks: LabelStudioRequest['tasks'],
  look: (task: LabelStudioRequest['tasks'][number]) => Promise<LabelStudioResult>,
  tell: ServerOptions['onFailure'],
): Promise<readonly LabelStudioResult[]> {
  const results: LabelStudioResult[] = [];
  const failed: RcnnError[] = [];
  for (const task of tasks) {
    try {
      results.push(await look(task));
    } catch (error) {
      if (!isRcnnError(error) || error.code === 'INTERRUPTED' || STATUS[error.code] === undefined) throw error;
      failed.push(error);
      results.push({ result: [], score: 0 });
    }
  }
  if (failed.length > 0 && failed.length === tasks.length) throw failed[0]!;
  for (const error of failed) tell?.(error);
  return results;
}

/** @throws INVALID_ARGUMENT for scores that the model leaves out: an answer without them would pass for all there is */
function requireScore(scoreThreshold: number, least: number = 0): void {
  if (scoreThreshold >= least) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'request',
    place: 'scoreThreshold',
    problem: 'the model was started to leave such scores out',
    found: String(scoreThreshold),
    expected: `at least ${least}`,
    hint: 'Start the server with a lower score threshold (--score-threshold).',
  });
}

/** The bytes of the image, sent as they are or as a file of a form. @throws INVALID_ARGUMENT */
async function imageOf(request: FastifyRequest): Promise<Uint8Array> {
  if (request.isMultipart()) {
    const file = await fileOfForm(request);
    if (file !== undefined) return file;
  } else if (Buffer.isBuffer(request.body) && request.body.length > 0) return request.body;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'request',
    problem: 'there is no image in it',
    expected: 'the bytes of an image file (content-type image/* or application/octet-stream), or a form with one file',
  });
}

/** The first file of a form. @throws INVALID_ARGUMENT when it is cut or is none; what limits throw */
async function fileOfForm(request: FastifyRequest): Promise<Uint8Array | undefined> {
  try {
    const file = await request.file();
    return await file?.toBuffer();
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode !== undefined) throw cause;
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new RcnnError('INVALID_ARGUMENT', { where: 'request', problem: 'the form cannot be read', found, cause });
  }
}

function sendError(reply: FastifyReply, error: unknown, onFailure: ServerOptions['onFailure']): FastifyReply {
  const { statusCode, message, code } = error as { statusCode?: number; message?: string; code?: string };
  const status = isRcnnError(error) ? (STATUS[error.code] ?? 500) : (statusCode ?? 500);
  if (status === 503) void reply.header('retry-after', RETRY_AFTER);
  // What went wrong inside is for whoever runs the server, not for whoever asks.
  if (status === 500) {
    onFailure?.(error);
    return reply
      .code(500)
      .send({ code: isRcnnError(error) ? error.code : 'INTERNAL', message: 'the server failed on it' });
  }
  return reply.code(status).send({ code: code ?? 'INVALID_REQUEST', message: message ?? '' });
}
