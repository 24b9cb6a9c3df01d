/**
 * `WEIGHTS=best.safetensors RESULTS=folder node dist/worker.js`: takes photographs from the queue until it is told to end
 * (SIGTERM or SIGINT: the photograph at hand is finished, others are left to other workers).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import { Piscina } from 'piscina';
import type { ThreadAnswer, ThreadSetup } from './detector-thread.ts';
import { connectionOf, type PhotoAnswer, type PhotoJob, QUEUE } from './queue.ts';

const setting = (name: string, usual: string): string => process.env[name] ?? usual;
const results = setting('RESULTS', 'results');
const setup: ThreadSetup = {
  weights: setting('WEIGHTS', 'maskrcnn_resnet50_fpn'),
  scoreThreshold: Number(setting('SCORE_THRESHOLD', '0.5')),
};
/** Seconds without a sign of life after which another worker takes the job of one that died. */
const lock = 1000 * Number(setting('LOCK_SECONDS', '30'));

mkdirSync(results, { recursive: true });
const thread = new Piscina<string, ThreadAnswer>({
  filename: new URL('./detector-thread.js', import.meta.url).href,
  name: 'detect',
  workerData: setup,
  maxThreads: 1, // the engine itself uses all cores
});

/** Every job may be done twice: a worker can die after it wrote the answer and before it said so. */
async function look({ id, data: { photo } }: Job<PhotoJob, PhotoAnswer>): Promise<PhotoAnswer> {
  const file = join(results, `${id}.json`);
  if (existsSync(file)) return { file, objects: await objectsIn(file) };
  const answer = await thread.run(photo);
  if ('unreadable' in answer) throw new UnrecoverableError(answer.unreadable);
  const { objects } = answer;
  const part = `${file}.${process.pid}.part`;
  await writeFile(part, `${JSON.stringify({ photo, weights: setup.weights, objects })}\n`);
  await rename(part, file); // whole or not there
  return { file, objects: objects.length };
}

async function objectsIn(file: string): Promise<number> {
  const { objects } = JSON.parse(await readFile(file, 'utf8')) as { objects: readonly unknown[] };
  return objects.length;
}

const worker = new Worker<PhotoJob, PhotoAnswer>(QUEUE, look, {
  connection: connectionOf(),
  concurrency: 2, // one photograph is fetched and one answer written while the thread computes
  lockDuration: lock,
  stalledInterval: lock,
  maxStalledCount: 5, // workers are taken away: that says nothing against the photograph
});
worker.on('completed', (job, { objects }) => console.log(`${job.data.photo}: ${objects} objects`));
worker.on('failed', (job, error) => console.error(`${job?.data.photo ?? 'a job'}: ${error.message}`));
worker.on('error', (error) => console.error(`queue: ${error.message}`));

let ending: Promise<void> | undefined;
const end = (): void => {
  ending ??= worker
    .close()
    .then(() => thread.destroy())
    .then(() => process.exit(0));
};
process.once('SIGTERM', end);
process.once('SIGINT', end);
