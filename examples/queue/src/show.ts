/**
 * The whole thing on one machine: a queue, two workers of which one is killed in the middle, and an account at the end.
 * `npm start` in this folder, with Debian's `valkey-server` or `redis-server` installed.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QueueEvents } from 'bullmq';
import { brokenPhotograph, drawPhotographs, saveModel } from './photographs.ts';
import { addPhoto, connectionOf, openQueue, QUEUE } from './queue.ts';
import { startStore, storeProgram } from './store.ts';
import { endWorker, startWorker } from './workers.ts';

/** What the show came to. */
export interface Account {
  /** Digests of the photographs that can be read, each once. */
  readonly photos: readonly string[];
  /** Names in the folder of answers. */
  readonly answers: readonly string[];
  /** Photographs that failed for good, and why. */
  readonly failed: ReadonlyMap<string, string>;
  /** Jobs that were begun by a worker that died. */
  readonly takenOver: number;
}

export async function show(
  program: string,
  count: number,
  folder: string,
  say: (line: string) => void,
): Promise<Account> {
  const [photosAt, results, weights] = ['photos', 'results', 'model.safetensors'].map((name) => join(folder, name)) as [string, string, string]; // biome-ignore format: one line
  for (const made of [photosAt, results]) mkdirSync(made);
  await saveModel(weights);
  const photos = await drawPhotographs(photosAt, count);
  const broken = brokenPhotograph(photosAt);
  const store = await startStore(program, folder);
  const settings = { address: store.address, weights, results };
  const connection = connectionOf(store.address);
  const queue = openQueue(connection);
  const events = new QueueEvents(QUEUE, { connection });
  const workers = [startWorker(settings), startWorker(settings)] as const;
  try {
    await events.waitUntilReady();
    const failed = new Map<string, string>();
    let done = 0;
    let takenOver = 0;
    const finished = new Promise<void>((end, fail) => {
      for (const worker of workers) worker.once('error', fail);
      const count = (): void => void (++done > photos.length && end());
      events.on('completed', count);
      events.on('failed', ({ jobId, failedReason }) => {
        failed.set(jobId, failedReason);
        count();
      });
      events.on('stalled', () => void takenOver++);
    });
    // As soon as a third is answered, one worker is killed: nobody hears of it but the lock that is no longer prolonged.
    events.on('completed', () => {
      if (done >= count / 3) void endWorker(workers[0], 'SIGKILL');
    });
    const digests: string[] = [];
    for (const photo of photos) digests.push(await addPhoto(queue, photo));
    for (const photo of photos) await addPhoto(queue, photo); // sent twice, looked at once
    await addPhoto(queue, broken);
    say(`${count} photographs queued twice, and a file that is none.`);
    await finished;
    say(`Worker 1 was killed, worker 2 ends by itself: exit code ${await endWorker(workers[1], 'SIGTERM')}.`);
    return { photos: digests, answers: readdirSync(results).toSorted(), failed, takenOver };
  } finally {
    for (const worker of workers) await endWorker(worker, 'SIGKILL');
    await events.close();
    await queue.close();
    await store.close();
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const program = storeProgram();
  if (program === undefined) {
    console.error('Neither valkey-server nor redis-server is installed; Debian has both: apt-get install redis-server');
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'rcnn-queue-'));
  try {
    const { photos, answers, failed, takenOver } = await show(program, 24, folder, console.log);
    const whole = photos.filter((digest) => answers.includes(`${digest}.json`)).length;
    console.log(
      `${whole} of ${photos.length} photographs have their answer, ${answers.length - whole} files beside them.`,
    );
    console.log(`${takenOver} were taken over from the worker that died.`);
    for (const reason of failed.values()) console.log(`Failed for good: ${reason}`);
    if (whole < photos.length || answers.length > whole) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
