import { INFO_PLACE } from '@rcnn/checkpoint';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import { inWords } from '@rcnn/models';
import { z } from 'zod';
import type { Position } from '../loop/trainer.ts';

/** What a training checkpoint says besides its tensors. */
export interface TrainingInfo {
  readonly kind: 'training';
  readonly position: Position;
  readonly seed: number;
  readonly optimizer: { readonly kind: string; readonly counters: Record<string, number> };
  readonly average: { readonly counters: Record<string, number> } | null;
  /** Of all processes; not in files of before there could be several. */
  readonly batchesPerStep?: number | undefined;
  /** Images of a batch; not in older files. */
  readonly batchSize?: number | undefined;
}

/** More than any training counts: at a thousand steps a second, thirty years. */
const MOST = 1e12;

/** Each field says in words what it must be; zod's own words name types, not meanings. */
const COUNT = `a whole number from 0 to ${MOST}`;
const count = z.number(COUNT).int(COUNT).min(0, COUNT).max(MOST, COUNT);
const counters = z.record(z.string(), count, 'counts by name');
const fields = 'an object with these fields';

const position = z
  .strictObject(
    {
      step: count,
      epoch: count,
      batch: count,
      best: z.strictObject({ score: z.number('a finite number'), epoch: count }, 'the best score, or null').nullable(),
      stale: count,
    },
    fields,
  )
  // Every epoch takes a step at least, and is measured once at most.
  .refine(({ step, epoch }) => epoch <= step, { path: ['epoch'], error: 'no more epochs than steps' })
  .refine(({ best, epoch }) => best === null || best.epoch < epoch, {
    path: ['best', 'epoch'],
    error: 'an epoch before the one that runs',
  })
  .refine(({ stale, epoch }) => stale <= epoch, { path: ['stale'], error: 'no more evaluations than epochs' });

const form: z.ZodType<TrainingInfo> = z.strictObject({
  kind: z.literal('training'),
  position,
  seed: z.number('a whole number').int('a whole number'),
  optimizer: z.strictObject({ kind: z.string('the name of an optimizer'), counters }, fields),
  average: z.strictObject({ counters }, 'the counters of the average, or null').nullable(),
  batchesPerStep: count.min(1, 'a whole number from 1').optional(),
  batchSize: count.min(1, 'a whole number from 1').optional(),
});

/**
 * The info of a training checkpoint, every field looked at: digests tell damage, not whether what was written makes
 * sense, and a training that begins at step -5 would run and save.
 * @param path the file, for errors
 * @throws CHECKPOINT_MISMATCH for a file that is no state of training; FILE_MALFORMED naming the field
 */
export function trainingInfoOf(info: unknown, path: string): TrainingInfo {
  if ((info as { kind?: unknown } | null | undefined)?.kind !== 'training') {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where: path,
      problem: 'this is a file of weights, not a state of training',
      hint: "Start from it with 'weights' instead of resuming.",
    });
  }
  const { data, error } = form.safeParse(info);
  if (data !== undefined) return data;
  const issue = error!.issues[0]!;
  const [extra] = issue.code === 'unrecognized_keys' ? issue.keys : [];
  const at = extra === undefined ? issue.path : [...issue.path, extra];
  const value = at.reduce((inside: unknown, key) => (inside as Record<PropertyKey, unknown> | null)?.[key], info);
  throw malformed(path, {
    place: [INFO_PLACE, ...at.map((key) => quoteName(String(key)).slice(1, -1))].join('.'),
    found: inWords(value),
    expected: extra === undefined ? issue.message : 'no such field',
  });
}

/** A file whose fields or tensors are not what a training writes. */
export function malformed(
  where: string,
  { place, found, expected }: { readonly place: string; readonly found: string; readonly expected: string },
): RcnnError {
  return new RcnnError('FILE_MALFORMED', {
    where,
    place,
    problem: 'the state of the training is not as a training writes it',
    found,
    expected,
    hint: 'The file was changed or damaged; go on from an older checkpoint.',
  });
}
