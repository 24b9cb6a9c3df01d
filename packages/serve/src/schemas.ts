import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifySchema } from 'fastify';

// What requests and answers look like, for checking and for the OpenAPI page.

type Schema = Readonly<Record<string, unknown>>;

const error: Schema = {
  type: 'object',
  properties: {
    code: { type: 'string', description: 'stable; programs may switch on it' },
    message: { type: 'string' },
  },
};

const errors: Schema = { '4xx': error, '5xx': error };
const fraction: Schema = { type: 'number', minimum: 0, maximum: 1 };
const numbers: Schema = { type: 'array', items: { type: 'number' } };

export const openapi: NonNullable<FastifyDynamicSwaggerOptions['openapi']> = {
  info: {
    title: 'mask-rcnn serve',
    description: 'Finds objects in images: boxes, classes, masks.',
    version: '1',
  },
};

const object: Schema = {
  type: 'object',
  properties: {
    box: { ...numbers, description: 'x1, y1, x2, y2 in pixels of the image that was sent' },
    label: { type: 'integer' },
    name: { type: 'string' },
    categoryId: { type: 'integer' },
    score: { type: 'number' },
    polygons: { type: 'array', items: numbers, description: 'outlines x0, y0, x1, y1, …' },
    rle: {
      type: 'object',
      description: "COCO's compressed run lengths",
      properties: { size: numbers, counts: { type: 'string' } },
    },
    keypoints: { type: 'array', items: numbers },
  },
};

export const detect: FastifySchema = {
  summary: 'Find the objects of an image',
  description: 'The body is an image file (JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP), or a form with one file.',
  consumes: ['application/octet-stream', 'image/jpeg', 'image/png', 'multipart/form-data'],
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      scoreThreshold: { ...fraction, description: 'leave objects below it out' },
      maskThreshold: { ...fraction, description: 'a pixel is object above this probability' },
      format: {
        type: 'string',
        enum: ['polygons', 'rle', 'picture'],
        default: 'polygons',
        description: 'how masks are given; picture is an annotated PNG',
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        model: { type: 'string' },
        height: { type: 'integer' },
        width: { type: 'integer' },
        objects: { type: 'array', items: object },
      },
    },
    ...errors,
  },
};

export const health: FastifySchema = { summary: 'Whether the process answers' };
export const ready: FastifySchema = { summary: 'Whether it takes requests: 503 when it is full or ends' };
export const metrics: FastifySchema = { summary: 'Numbers for Prometheus' };

export const labelStudio: FastifySchema = {
  summary: "Label Studio's ML backend",
  body: {
    type: 'object',
    required: ['tasks', 'label_config'],
    properties: {
      tasks: {
        type: 'array',
        maxItems: 1000,
        items: { type: 'object', required: ['data'], properties: { data: { type: 'object' } } },
      },
      label_config: { type: 'string', maxLength: 1_000_000 },
    },
  },
};

export const cvat: FastifySchema = {
  summary: 'A detector as CVAT calls it through nuclio',
  body: {
    type: 'object',
    required: ['image'],
    properties: { image: { type: 'string' }, threshold: fraction },
  },
};
