import { type JsonValue, memoryEntry, type TensorEntry } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import type { InstanceMask, PixelImage, Target } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { TrainingBatch } from '../loop/types.ts';

/** Keeps a batch exactly as the model was given it, so that a step can be run again: pixels, boxes, labels, masks. */
export async function saveBatch(path: string, batches: readonly TrainingBatch[]): Promise<void> {
  const entries: TensorEntry[] = [];
  const info = batches.map(({ images, targets }, b) => ({
    images: images.length,
    imageIds: targets.map(({ imageId }) => imageId ?? null),
    masks: targets.map(({ masks }) => masks !== undefined),
    place: images.forEach((image, i) => entries.push(...entriesOf(`${b}.${i}`, image, targets[i]!))) ?? null,
  }));
  await saveCheckpoint(path, {
    weights: [],
    groups: { batch: entries },
    info: { kind: 'batch', batches: info } as unknown as JsonValue,
  });
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
    const { batches } = info as {
      batches: { images: number; imageIds: (string | number | null)[]; masks: boolean[] }[];
    };
    const read = async (name: string): Promise<ArrayBuffer> => (await tensors.get(name)!.read()).buffer;
    const loaded: TrainingBatch[] = [];
    for (const [b, { images, imageIds, masks }] of batches.entries()) {
      const batch: { images: PixelImage[]; targets: Target[] } = { images: [], targets: [] };
      for (let i = 0; i < images; i++) {
        const at = `${b}.${i}`;
        const entry = tensors.get(`${at}.image`)!;
        const [height, width] = entry.shape as [number, number, number];
        const bytes = await read(`${at}.image`);
        const data = entry.dtype === 'float32' ? new Float32Array(bytes) : new Uint8Array(bytes);
        batch.images.push({ data, height, width, channels: 3 });
        batch.targets.push({
          boxes: new Float32Array(await read(`${at}.boxes`)),
          labels: new Int32Array(await read(`${at}.labels`)),
          ...(masks[i] === true
            ? { masks: unpackMasks(new Uint8Array(await read(`${at}.masks`)), height, width) }
            : {}),
          ...(imageIds[i] === null ? {} : { imageId: imageIds[i]! }),
        });
      }
      loaded.push(batch);
    }
    return loaded;
  } finally {
    await file.close();
  }
}

function entriesOf(at: string, { data, height, width }: PixelImage, { boxes, labels, masks }: Target): TensorEntry[] {
  const pixels = data instanceof Float32Array ? Float32Array.from(data) : Uint8Array.from(data);
  const type = pixels instanceof Float32Array ? 'float32' : 'uint8';
  const entries = [
    memoryEntry(`${at}.image`, type, [height, width, 3], pixels),
    memoryEntry(`${at}.boxes`, 'float32', [labels.length, 4], Float32Array.from(boxes)),
    memoryEntry(`${at}.labels`, 'int32', [labels.length], Int32Array.from(labels)),
  ];
  if (masks === undefined) return entries;
  return [
    ...entries,
    memoryEntry(`${at}.masks`, 'uint8', [masks.length, height, width], packMasks(masks, height * width)),
  ];
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
