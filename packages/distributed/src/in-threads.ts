import { parentPort, Worker, workerData } from 'node:worker_threads';
import { RcnnError } from '@rcnn/core/errors';
import type { Ending } from './in-turns.ts';
import type { ProcessGroup } from './process-group.ts';
import { ThreadMember } from './thread-member.ts';

/** What a thread is told, and what it tells. */
interface Told {
  readonly rank: number;
  readonly size: number;
  readonly memory: SharedArrayBuffer;
  readonly data: unknown;
}
type Answer = { readonly value: unknown } | { readonly code: string; readonly message: string };

/** Numbers of each rank that the ranks' common memory holds at once. */
const CAPACITY = 2 ** 16;

/**
 * Plays `size` ranks in this process, each in a thread with an engine of its own, so that one can wait for the others in
 * the middle of a forward pass. Slower than `inTurns`, and for what that cannot do.
 * @param script a module that calls {@link asThread}
 * @param data for all of them, as `postMessage` takes it; results come back that way too
 */
export async function inThreads<T>(size: number, script: URL, data?: unknown): Promise<Ending<T>[]> {
  const memory = ThreadMember.memory(size, CAPACITY);
  const ranks = Array.from({ length: size }, (_, rank) => {
    const told: Told = { rank, size, memory, data };
    const thread = new Worker(script, { workerData: told });
    return new Promise<T>((resolve, reject) => {
      thread.once('error', reject);
      thread.once('exit', () => reject(new Error(`rank ${rank} ended without an answer`)));
      thread.once('message', (answer: Answer) => {
        if ('value' in answer) resolve(answer.value as T);
        else reject(Object.assign(new Error(answer.message), { code: answer.code }));
      });
    });
  });
  return Promise.allSettled(ranks);
}

/** In the script of {@link inThreads}: what this rank does. */
export async function asThread(body: (group: ProcessGroup, data: unknown) => Promise<unknown>): Promise<void> {
  const { rank, size, memory, data } = workerData as Told;
  const group = new ThreadMember({ rank, size, memory, capacity: CAPACITY });
  const answer = await body(group, data).then(
    (value): Answer => ({ value }),
    (error: unknown): Answer => {
      const code = error instanceof RcnnError ? error.code : 'NONE';
      return { code, message: error instanceof Error ? error.message : String(error) };
    },
  );
  group.close();
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort!.postMessage(answer);
}
