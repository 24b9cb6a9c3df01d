import { memoryEntry, type TensorEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import type { InstanceMask, PixelImage, Target } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { TrainingBatch } from '@rcnn/optim';

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
    const info = file.info as unknown as { kind?: string; batches: unknown } | undefined;
    if (info?.kind !== 'batch') {
      throw new RcnnError('CHECKPOINT_MISMATCH', { where: path, problem: 'this is not the batch of a failed step' });
    }
    const { batches } = info as { batches: { images: number; imageIds: (string | number | null)[] }[] };
    const loaded: TrainingBatch[] = [];
    for (const [b, { images, imageIds }] of batches.entries()) {
      const batch: { images: PixelImage[]; targets: Target[] } = { images: [], targets: [] };
      for (let i = 0; i < images; i++) {
        const { image, target } = await readImage(tensors, `${b}.${i}.`);
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

async function readImage(
  tensors: ReadonlyMap<string, TensorEntry>,
  prefix: string,
): Promise<{ image: PixelImage; target: Target }> {
  const columns = new Map<string, unknown>();
  for (const [name, entry] of tensors) {
    if (!name.startsWith(prefix)) continue;
    const { buffer } = await entry.read();
    columns.set(name.slice(prefix.length), new COLUMNS[entry.dtype as keyof typeof COLUMNS](buffer));
  }
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
