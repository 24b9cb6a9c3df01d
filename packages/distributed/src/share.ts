import { type ErrorMessage, isRcnnError, packError, RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { ProcessGroup } from './process-group.ts';

/** Numbers up to here, and quotients and sums of a few thousand of them, are exact enough in float32 to be told apart. */
const MOST = 0xffff;

/**
 * The numbers of every rank, by rank, on every rank. All ranks give equally many.
 * @param numbers whole, from 0 to 65535
 */
export async function gather(group: ProcessGroup, numbers: readonly number[]): Promise<number[][]> {
  const { rank, size } = group;
  if (size === 1) return [[...numbers]];
  const all = new Float32Array(size * numbers.length);
  all.set(numbers, rank * numbers.length);
  const given = tf.tensor1d(all);
  try {
    // Everybody brings zeros where others stand, so the mean is each rank's number over the size.
    const [mean] = await group.allReduceMean([given]);
    const values = await mean!.data();
    mean!.dispose();
    return Array.from({ length: size }, (_, of) =>
      numbers.map((_number, i) => Math.round(values[of * numbers.length + i]! * size)),
    );
  } finally {
    given.dispose();
  }
}

/** Bytes as numbers of 16 bits, the first lowest: 1000 bytes are 500 numbers; of an odd byte the second half is 0. */
export function asShorts(bytes: Uint8Array): number[] {
  return Array.from({ length: Math.ceil(bytes.length / 2) }, (_, i) => bytes[2 * i]! + 256 * (bytes[2 * i + 1] ?? 0));
}

/**
 * The bytes of one rank, on every rank.
 * @param bytes those of rank `from`; the others' are not looked at
 */
export async function broadcastBytes(group: ProcessGroup, bytes: Uint8Array, from = 0): Promise<Uint8Array> {
  if (group.size === 1) return bytes;
  const own = group.rank === from;
  const [low, high] = await floatsOf(
    group,
    own ? [bytes.length % 65536, Math.floor(bytes.length / 65536)] : [0, 0],
    from,
  );
  const length = low! + 65536 * high!;
  const received = new Uint8Array(2 * Math.ceil(length / 2));
  for (let at = 0; at < length; at += PIECE) {
    const count = Math.ceil(Math.min(PIECE, length - at) / 2);
    const given = own ? asShorts(bytes.subarray(at, at + PIECE)) : new Float32Array(count);
    const shorts = await floatsOf(group, given, from);
    for (let i = 0; i < count; i++) {
      received[at + 2 * i] = shorts[i]! & 0xff;
      received[at + 2 * i + 1] = (shorts[i]! & MOST) >> 8;
    }
  }
  return received.subarray(0, length);
}

/** Bytes that travel at once: as numbers on both sides they take many times as much. */
const PIECE = 4 * 2 ** 20;

async function floatsOf(group: ProcessGroup, values: ArrayLike<number>, from: number): Promise<Float32Array> {
  const given = tf.tensor1d(Float32Array.from(values));
  try {
    const [received] = await group.broadcast([given], from);
    const floats = await received!.data<'float32'>();
    received!.dispose();
    return floats;
  } finally {
    given.dispose();
  }
}

/**
 * A value of one rank, on every rank; it goes as JSON.
 * @param value that of rank `from`; the others' is not looked at
 */
export async function broadcastValue<T>(group: ProcessGroup, value: T, from = 0): Promise<T> {
  if (group.size === 1) return value;
  const bytes = group.rank === from ? new TextEncoder().encode(JSON.stringify({ value })) : new Uint8Array(0);
  const text = new TextDecoder().decode(await broadcastBytes(group, bytes, from));
  return (JSON.parse(text) as { readonly value: T }).value;
}

/** What rank 0 did for all: its result, or why there is none. */
type Outcome<T> = { readonly value: T } | { readonly error: ErrorMessage };

/**
 * Rank 0 does something for all, such as writing a file, while the others wait for its result, which goes as JSON. When it
 * fails, all fail.
 * @throws on rank 0 what `work` throws; on the others PEER_FAILED with that as its cause
 */
export async function onRankZero<T>(group: ProcessGroup, work: () => Promise<T>): Promise<T> {
  if (group.size === 1) return work();
  let thrown: unknown;
  let outcome: Outcome<T | null> = { value: null };
  if (group.rank === 0) {
    try {
      outcome = { value: await work() };
    } catch (error) {
      thrown = error;
      outcome = { error: errorText(error) };
    }
  }
  const received = await broadcastValue(group, outcome).catch((error: unknown) => {
    throw thrown ?? error; // its own failure tells more than that nobody listens any more
  });
  if (thrown !== undefined) throw thrown;
  if ('error' in received) throw peerFailed(0, received.error);
  return received.value as T;
}

/**
 * Each rank does something of its own. When one fails, all fail.
 * @throws on ranks that fail what `work` throws; on the others PEER_FAILED naming the first of them, with its error as cause
 */
export async function onEveryRank<T>(group: ProcessGroup, work: () => Promise<T>): Promise<T> {
  if (group.size === 1) return work();
  const [own] = await Promise.allSettled([work()]);
  const thrown: unknown = own.status === 'rejected' ? own.reason : undefined;
  const failed = await gather(group, [own.status === 'rejected' ? 1 : 0]).catch((error: unknown) => {
    throw own.status === 'rejected' ? thrown : error;
  });
  const first = failed.findIndex(([flag]) => flag !== 0);
  if (first >= 0) {
    const told = await broadcastValue(group, errorText(thrown), first).catch(() => undefined);
    throw own.status === 'rejected' ? thrown : peerFailed(first, told);
  }
  return (own as PromiseFulfilledResult<T>).value;
}

/** Another rank failed. */
export function peerFailed(rank: number, error?: ErrorMessage): RcnnError {
  const cause = error && Object.assign(new Error(error.message), { code: error.code });
  return new RcnnError('PEER_FAILED', {
    where: `rank ${rank}`,
    problem: error === undefined ? 'it failed' : `it failed (${error.code}): ${error.message}`,
    hint: 'Its own output says more. Nothing of this step was used on any rank.',
    ...(cause && { cause }),
  });
}

/** What others can be told of an error. */
export function errorText(error: unknown): ErrorMessage {
  if (isRcnnError(error)) return packError(error);
  const message = error instanceof Error ? error.message : String(error);
  return packError(new RcnnError('IO_FAILED', { where: 'process', problem: message, cause: error }));
}
