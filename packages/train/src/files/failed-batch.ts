import { INFO_PLACE, memoryEntry, type TensorEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import type { InstanceMask, PixelImage, Target } from '@rcnn/core';
import { printable, RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { TrainingBatch } from '@rcnn/optim';
import { z } from 'zod';

/** The element types of a target's columns, by the names of a checkpoint. */
const COLUMNS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array } as const;

/**
 * Keeps a batch exactly as the model was given it, so that a step can be run again: pixels, masks, and every column of
 * numbers that its targets have.
 */
export async function saveBatch(path: string, batches: readonly TrainingBatch[]): Promise<void> {
  const entries: TensorEntry[] = [];
  for (const [b, { images, targets }] of batches.entries()) {
    for (const [i, image] of images.entries()) entries.push(...entriesOf(`${b}.${i}`, image, targets[i]!));
  }
  const info = batches.map(({ images, targets }) => ({
    images: images.length,
    imageIds: targets.map(({ imageId }) => imageId ?? null),
  }));
  await saveCheckpoint(path, { weights: [], groups: { batch: entries }, info: { kind: 'batch', batches: info } });
}

/** The batches of {@link saveBatch}. @throws CHECKPOINT_MISMATCH for another file */
export async function loadBatch(path: string): Promise<TrainingBatch[]> {
  const file = await loadCheckpoint(path);
  try {
    const tensors = file.groups.get('batch')?.tensors ?? new Map<string, TensorEntry>();
    const loaded: TrainingBatch[] = [];
    for (const [b, { images, imageIds }] of batchesOf(file.info, path).entries()) {
      const batch: { images: PixelImage[]; targets: Target[] } = { images: [], targets: [] };
      for (let i = 0; i < images; i++) {
        const { image, target } = await readImage(tensors, `${b}.${i}.`, path);
        batch.images.push(image);
        batch.targets.push(imageIds[i] === null ? target : { ...target, imageId: imageIds[i]! });
      }
      loaded.push(batch);
    }
    return loaded;
  } finally {
    await file.close();
  }
}

const form = z.array(
  z.strictObject({
    images: z.number().int().min(0),
    imageIds: z.array(z.union([z.string(), z.number(), z.null()])),
  }),
);

function batchesOf(info: unknown, where: string): z.infer<typeof form> {
  const { kind, batches } = (info ?? {}) as { kind?: unknown; batches?: unknown };
  if (kind !== 'batch') {
    throw new RcnnError('CHECKPOINT_MISMATCH', { where, problem: 'this is not the batch of a failed step' });
  }
  const { data, error } = form.safeParse(batches);
  if (data !== undefined) return data;
  const { path, message } = error!.issues[0]!;
  throw malformed(where, [`${INFO_PLACE}.batches`, ...path.map(String)].join('.'), message);
}

function malformed(where: string, place: string, found: string, expected?: string): RcnnError {
  const problem = 'the batch of a failed step is not as a training writes it';
  return new RcnnError('FILE_MALFORMED', { where, place, problem, found, ...(expected !== undefined && { expected }) });
}

async function readImage(
  tensors: ReadonlyMap<string, TensorEntry>,
  prefix: string,
  where: string,
): Promise<{ image: PixelImage; target: Target }> {
  const columns = new Map<string, unknown>();
  for (const [name, entry] of tensors) {
    if (!name.startsWith(prefix)) continue;
    const { buffer } = await entry.read();
    if (!Object.hasOwn(COLUMNS, entry.dtype)) {
      throw malformed(where, `batch/${printable(name)}`, entry.dtype, Object.keys(COLUMNS).join(', '));
    }
    columns.set(name.slice(prefix.length), new COLUMNS[entry.dtype as keyof typeof COLUMNS](buffer));
  }
  requireColumns(tensors, prefix, where);
  const {
    image: data,
    masks,
    ...numbers
  } = Object.fromEntries(columns) as Omit<Target, 'masks'> & {
    readonly image: Uint8Array | Float32Array;
    readonly masks?: Uint8Array;
  };
  const [height, width] = tensors.get(`${prefix}image`)!.shape as [number, number, number];
  return {
    image: { data, height, width, channels: 3 },
    target: { ...numbers, ...(masks && { masks: unpackMasks(masks, height, width) }) },
  };
}

/** What a target cannot be without, and the sizes that follow from it. @throws FILE_MALFORMED */
function requireColumns(tensors: ReadonlyMap<string, TensorEntry>, prefix: string, where: string): void {
  const require = (name: string, types: readonly string[], fits: (shape: readonly number[]) => boolean, as: string) => {
    const entry = tensors.get(`${prefix}${name}`);
    if (entry !== undefined && types.includes(entry.dtype) && fits(entry.shape)) return;
    const found = entry === undefined ? 'nothing' : `${entry.dtype} [${entry.shape.join(',')}]`;
    throw malformed(where, `batch/${prefix}${name}`, found, `${types.join(' or ')} ${as}`);
  };
  const isImage = (shape: readonly number[]): boolean => shape.length === 3 && shape[2] === 3;
  require('image', ['uint8', 'float32'], isImage, '[height,width,3]');
  require('labels', ['int32'], ({ length }) => length === 2, '[objects,1]');
  const [height, width] = tensors.get(`${prefix}image`)!.shape;
  const [count] = tensors.get(`${prefix}labels`)!.shape;
  const boxes = count === 0 ? '0,0' : `${count},4`;
  require('boxes', ['float32'], (shape) => shape.join() === boxes, `[${boxes}]`);
  if (!tensors.has(`${prefix}masks`)) return;
  const masks = [count, height, width].join();
  require('masks', ['uint8'], (shape) => shape.join() === masks, `[${masks}]`);
}

function entriesOf(at: string, { data, height, width }: PixelImage, target: Target): TensorEntry[] {
  const pixels = data instanceof Float32Array ? data : Uint8Array.from(data);
  const entries = [entryOf(`${at}.image`, [height, width, 3], pixels)];
  const count = target.labels.length;
  for (const [name, value] of Object.entries(target) as [string, unknown][]) {
    if (!ArrayBuffer.isView(value)) continue;
    const column = value as Float32Array;
    entries.push(entryOf(`${at}.${name}`, [count, count === 0 ? 0 : column.length / count], column));
  }
  const { masks } = target;
  if (masks === undefined) return entries;
  return [...entries, entryOf(`${at}.masks`, [masks.length, height, width], packMasks(masks, height * width))];
}

function entryOf(name: string, shape: readonly number[], values: ArrayBufferView): TensorEntry {
  const type = (Object.keys(COLUMNS) as (keyof typeof COLUMNS)[]).find((key) => values instanceof COLUMNS[key]);
  if (type === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'saveBatch',
      place: name,
      problem: 'an array of a type that a batch does not have',
      found: values.constructor.name,
      expected: Object.values(COLUMNS)
        .map((column) => column.name)
        .join(', '),
    });
  }
  return memoryEntry(name, type, shape, COLUMNS[type].from(values as unknown as ArrayLike<number>));
}

function packMasks(masks: readonly InstanceMask[], size: number): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(masks.length * size);
  masks.forEach((mask, i) => packed.set(mask.bitmap(), i * size));
  return packed;
}

function unpackMasks(packed: Uint8Array, height: number, width: number): InstanceMask[] {
  const size = height * width;
  return Array.from({ length: packed.length / size }, (_, i) =>
    Mask.fromBitmap(packed.subarray(i * size, (i + 1) * size), [height, width]),
  );
}
