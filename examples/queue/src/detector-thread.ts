/**
 * The model, in a thread of its own. While an engine computes, its thread answers nobody: a worker that computed by
 * itself would not prolong the lock on its job in time, and another worker would take the same job.
 */
import '@rcnn/tfjs-backend-onnxruntime';
import { isRcnnError } from '@rcnn/core/errors';
import { load, type PhotoDetector } from 'mask-rcnn';
import { workerData } from 'piscina';

/** What a worker tells its thread at the start. */
export interface ThreadSetup {
  /** A published name, a file, a run folder or an address. */
  readonly weights: string;
  readonly scoreThreshold: number;
}

/** An object as it is kept. */
export interface KeptObject {
  readonly label: string;
  readonly score: number;
  /** `[x1, y1, x2, y2]` in pixels. */
  readonly box: readonly number[];
  /** COCO's run lengths, where the model finds masks. */
  readonly segmentation?: { readonly size: readonly number[]; readonly counts: string };
}

/** The objects of a photograph, or why it will never be read. */
export type ThreadAnswer = { readonly objects: readonly KeptObject[] } | { readonly unreadable: string };

let detector: Promise<PhotoDetector> | undefined;

/** What is in a photograph. The model is loaded with the first one. */
export async function detect(photo: string): Promise<ThreadAnswer> {
  const { weights, scoreThreshold } = workerData as ThreadSetup;
  detector ??= load(weights, { scoreThreshold });
  const find = await detector;
  try {
    const found = await find(photo);
    const objects = found.map(({ label, score, box, mask }): KeptObject => {
      const kept = { label, score, box: [...box] };
      return mask === undefined ? kept : { ...kept, segmentation: mask.rle() };
    });
    return { objects };
  } catch (error) {
    const unreadable = isRcnnError(error) && /^(IMAGE|FILE)_/.test(error.code);
    if (unreadable) return { unreadable: error.message };
    throw error;
  }
}
