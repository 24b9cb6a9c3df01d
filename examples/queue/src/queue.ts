/** What producers and workers agree on. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ConnectionOptions, Queue } from 'bullmq';

export const QUEUE = 'photographs';

/** A photograph that is to be looked at. Its place must be the same for all workers: a shared folder. */
export interface PhotoJob {
  readonly photo: string;
}

/** What became of it: a file that is there whole or not at all. */
export interface PhotoAnswer {
  readonly file: string;
  readonly objects: number;
}

/** Valkey or Redis, as `REDIS_URL` names it; `redis://127.0.0.1:6379` by default. */
export function connectionOf(
  address: string = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
): ConnectionOptions {
  return { url: address };
}

export function openQueue(connection: ConnectionOptions): Queue<PhotoJob, PhotoAnswer> {
  return new Queue(QUEUE, {
    connection,
    defaultJobOptions: {
      // What fails for want of memory or a disk may go well later. A photograph that cannot be read is not tried again.
      attempts: 5,
      backoff: { type: 'exponential', delay: 1000 },
      removeOnComplete: { age: 24 * 3600 },
    },
  });
}

/**
 * Queues a photograph under the digest of its bytes: the same one sent twice is one job, and its answer has one place.
 * @returns that digest
 */
export async function addPhoto(queue: Queue<PhotoJob, PhotoAnswer>, photo: string): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(photo))
    .digest('hex');
  await queue.add('detect', { photo }, { jobId: digest });
  return digest;
}
