import { type ErrorMessage, RcnnError } from '@rcnn/core/errors';
import type { OutcomeColumns } from '../match/outcomes.ts';
import type { ResolvedParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { ByteSegmentations, type MaskBytes } from '../read/parse.ts';
import { ObjectSegmentations, type Segmentations } from '../read/segmentations.ts';

/** What a thread is told: everything that is compared, and which images are its own, `[from, to)`. */
export interface MatchJob {
  readonly truth: Sendable<GroundTruth>;
  readonly detections: Sendable<Detections>;
  readonly params: ResolvedParams;
  readonly from: number;
  readonly to: number;
}

export type MatchAnswer = { readonly outcomes: OutcomeColumns } | { readonly error: ErrorMessage };

/** Columns are typed arrays and cross as they are; only the masks are behind an object with methods. */
type Sendable<T> = Omit<T, 'segmentations'> & { readonly segmentations: MasksMessage };
type MasksMessage = MaskBytes | Pick<ObjectSegmentations, 'values'> | undefined;
interface WithMasks {
  readonly segmentations: Segmentations | undefined;
}

/** @throws INVALID_ARGUMENT when the masks are of a kind that only the caller knows */
export function packColumns<T extends WithMasks>(columns: T): Sendable<T> {
  return { ...columns, segmentations: packMasks(columns.segmentations) };
}

export function unpackColumns<T>(columns: Sendable<T>): Omit<T, 'segmentations'> & WithMasks {
  const { segmentations: masks } = columns;
  if (masks === undefined) return { ...columns, segmentations: undefined };
  const segmentations = 'bytes' in masks ? new ByteSegmentations(masks) : new ObjectSegmentations(masks.values);
  return { ...columns, segmentations };
}

function packMasks(masks: Segmentations | undefined): MasksMessage {
  if (masks === undefined) return undefined;
  if (masks instanceof ObjectSegmentations) return { values: masks.values };
  if (masks instanceof ByteSegmentations) return { ...masks.source, bytes: shared(masks.source.bytes) };
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'evaluateWithWorkers',
    place: 'workers',
    problem: 'masks of your own cannot be sent to threads',
    hint: 'Use workers: 0.',
  });
}

/** One copy of a file for all threads instead of one for each. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
