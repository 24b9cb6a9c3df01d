import type { ClassMap } from '@rcnn/coco-data';
import type { Detection, ImageSize } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { SaxesParser } from 'saxes';
import { longestOutline, nameOf } from './answers.ts';

/** What Label Studio sends to `/predict` of an ML backend; it sends more, which is not needed. */
export interface LabelStudioRequest {
  readonly tasks: readonly { readonly id?: number; readonly data: Readonly<Record<string, unknown>> }[];
  readonly label_config: string;
}

/** Where in a labeling interface objects go. */
export interface Interface {
  /** The tag that gets the objects. */
  readonly fromName: string;
  readonly kind: 'polygonlabels' | 'rectanglelabels';
  /** The image tag. */
  readonly toName: string;
  /** The field of a task that holds the image: `image` of `$image`. */
  readonly field: string;
}

const KINDS: ReadonlyMap<string, Interface['kind']> = new Map([
  ['PolygonLabels', 'polygonlabels'],
  ['RectangleLabels', 'rectanglelabels'],
]);

/**
 * The part of a labeling interface that a detector can fill: polygons where there are some, else rectangles.
 * @throws FILE_MALFORMED, INVALID_ARGUMENT when it has neither
 */
export function interfaceOf(config: string): Interface {
  const images = new Map<string, string>();
  const tags: Omit<Interface, 'field'>[] = [];
  const parser = new SaxesParser();
  parser.on('error', (cause) => {
    throw new RcnnError('FILE_MALFORMED', { where: 'label_config', problem: 'this is not XML', cause });
  });
  parser.on('opentag', ({ name: tag, attributes }) => {
    const { name = '', toName = '', value = '' } = attributes as Readonly<Record<string, string>>;
    const kind = KINDS.get(tag);
    if (tag === 'Image' && value.startsWith('$')) images.set(name, value.slice(1));
    if (kind !== undefined) tags.push({ fromName: name, kind, toName });
  });
  parser.write(config).close();
  const ofImages = tags.filter(({ toName }) => images.has(toName));
  const chosen = ofImages.find(({ kind }) => kind === 'polygonlabels') ?? ofImages[0];
  if (chosen !== undefined) return { ...chosen, field: images.get(chosen.toName)! };
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'label_config',
    problem: 'the labeling interface has no place for objects',
    expected: '<PolygonLabels> or <RectangleLabels> on an <Image value="$…">',
  });
}

/** The objects of one task, as Label Studio keeps them. */
export interface LabelStudioResult {
  readonly result: readonly Readonly<Record<string, unknown>>[];
  /** Mean score; 0 without objects. */
  readonly score: number;
}

/** The detections of one task, in percent of the image as Label Studio counts. */
export function labelStudioResult(
  detections: readonly Detection[],
  [height, width]: ImageSize,
  { fromName, toName, kind }: Interface,
  classes: ClassMap | undefined,
): LabelStudioResult {
  const result = detections.map((detection) => ({
    from_name: fromName,
    to_name: toName,
    type: kind,
    original_width: width,
    original_height: height,
    image_rotation: 0,
    score: detection.score,
    value: {
      ...(kind === 'polygonlabels'
        ? { points: pairs(longestOutline(detection), [height, width]), closed: true }
        : rectangle(detection, [height, width])),
      [kind]: [nameOf(detection.label, classes)],
    },
  }));
  const scores = detections.map(({ score }) => score);
  return { result, score: scores.length === 0 ? 0 : scores.reduce((sum, score) => sum + score, 0) / scores.length };
}

function pairs(points: readonly number[], [height, width]: ImageSize): number[][] {
  return Array.from({ length: points.length / 2 }, (_, i) => [
    (100 * points[2 * i]!) / width,
    (100 * points[2 * i + 1]!) / height,
  ]);
}

function rectangle({ box: [x1, y1, x2, y2] }: Detection, [height, width]: ImageSize): Readonly<Record<string, number>> {
  return {
    x: (100 * x1) / width,
    y: (100 * y1) / height,
    width: (100 * (x2 - x1)) / width,
    height: (100 * (y2 - y1)) / height,
    rotation: 0,
  };
}

/** Where Label Studio is, and the token with which its files are fetched. */
export interface LabelStudioAccess {
  readonly url: string;
  readonly token?: string | undefined;
}

/** Seconds after which an image is given up. */
const SECONDS = 30;

/**
 * The bytes of a task's image. Only Label Studio itself and `data:` are read: a server that fetched any address would
 * open its network to whoever writes tasks.
 * @throws FILE_REFUSED, DOWNLOAD_FAILED, IMAGE_TOO_LARGE
 */
export async function taskImage(
  address: unknown,
  access: LabelStudioAccess | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  if (typeof address !== 'string') {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'task',
      problem: 'its image is no address',
      found: typeof address,
    });
  }
  if (address.startsWith('data:')) return Buffer.from(address.slice(address.indexOf(',') + 1), 'base64');
  const home = access && new URL(access.url);
  const url = home && URL.canParse(address, home) ? new URL(address, home) : undefined;
  if (url === undefined || url.origin !== home!.origin) {
    throw new RcnnError('FILE_REFUSED', {
      where: address,
      problem: 'only images of Label Studio itself are fetched',
      expected: home === undefined ? 'the address of Label Studio' : `an image of ${home.origin}`,
      hint: 'Say where Label Studio is: --label-studio http://localhost:8080, with its token in LABEL_STUDIO_API_KEY.',
    });
  }
  const headers = access?.token === undefined ? {} : { authorization: `Token ${access.token}` };
  try {
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(1000 * SECONDS) });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    return await upTo(response.body as unknown as AsyncIterable<Uint8Array>, maxBytes, address);
  } catch (cause) {
    if (cause instanceof RcnnError) throw cause;
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new RcnnError('DOWNLOAD_FAILED', { where: address, problem: 'the image cannot be fetched', found, cause });
  }
}

async function upTo(stream: AsyncIterable<Uint8Array>, maxBytes: number, where: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) throw new RcnnError('IMAGE_TOO_LARGE', { where, problem: 'there are too many bytes' });
  }
  return Buffer.concat(chunks);
}
