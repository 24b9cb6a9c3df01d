import type { PixelImage, RunLengths, Target } from '@rcnn/core';
import type { ErrorMessage } from '@rcnn/core/errors';
import { Mask } from '@rcnn/masks';
import type { PresetName } from '@rcnn/transforms';
import type { ClassMapJSON } from '../../class-map.ts';
import type { Batch } from '../../loader/batch.ts';
import type { FolderImagesOptions } from '../images/folder-images.ts';
import { freeMemory } from './free-memory.ts';

/** A transform of your own that workers can import: `{ module: import.meta.url, name: 'myTransform' }`. */
export interface ModuleExport {
  /** URL of a JavaScript module. */
  readonly module: string;
  /** Its export: a transform, or for `batchTransform` a batch transform. */
  readonly name: string;
}

/** What every worker of a pool is told once. */
export interface WorkerSetup {
  readonly root: string;
  readonly images: FolderImagesOptions;
  readonly classes: ClassMapJSON;
  readonly transform: PresetName | ModuleExport | undefined;
  readonly batchTransform: 'copy-paste' | ModuleExport | undefined;
}

/** A batch on its way between threads: masks as run lengths, everything in typed arrays. */
export interface BatchMessage extends Omit<Batch, 'targets' | 'release'> {
  readonly targets: readonly TargetMessage[];
}

type TargetMessage = Omit<Target, 'masks'> & { readonly masks?: readonly RunLengths[] };

export type Answer = { readonly batch: BatchMessage } | { readonly error: ErrorMessage };

export function packBatch(batch: Batch): BatchMessage {
  return {
    ...batch,
    targets: batch.targets.map(({ masks, ...rest }) => ({
      ...rest,
      ...(masks && { masks: masks.map((mask) => mask.runLengths()) }),
    })),
  };
}

export function unpackBatch(message: BatchMessage): Batch {
  return {
    ...message,
    targets: message.targets.map(({ masks, ...rest }) => ({
      ...rest,
      ...(masks && { masks: masks.map((runs) => Mask.fromRuns(runs)) }),
    })),
    release: () => freeMemory(message.images.map(({ data }) => data)),
  };
}

/** The memory of a message that can be handed over instead of copied: each buffer once. */
export function buffersOf({ images, targets }: BatchMessage): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const take = ({ buffer }: PixelImage['data']): void => {
    if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  };
  for (const { data } of images) take(data);
  for (const { masks } of targets) {
    for (const { counts } of masks ?? []) if (counts.buffer instanceof ArrayBuffer) buffers.add(counts.buffer);
  }
  return [...buffers];
}
