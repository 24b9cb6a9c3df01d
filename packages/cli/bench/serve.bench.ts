/**
 * `mask-rcnn serve` under load: 1,000 requests, 50 at once, one in ten broken; then the same while the server is killed
 * in the middle and started again. Every good request must be answered, every bad one refused with a reason, nothing may
 * hang, and the server's memory must be flat.
 *
 *   npm run bench -- serve [--requests 1000] [--at-once 50] [--queue 64] [--weights FILE] [--rounds 3]
 *
 * Without --weights: a small model of random weights at 128 pixels.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchOptions } from '@rcnn/shared/bench';
import { type Outcome, requestsOf, sendAll } from './serve/requests.ts';
import { memoryOf, type Served, saveSmallModel, startServer } from './serve/server.ts';

const options = benchOptions({
  requests: { type: 'string', default: '1000' },
  'at-once': { type: 'string', default: '50' },
  queue: { type: 'string', default: '64' },
  weights: { type: 'string' },
  rounds: { type: 'string', default: '3' },
});
const [count, width, queue, rounds] = [options.requests, options['at-once'], options.queue, options.rounds].map(Number) as [number, number, number, number]; // biome-ignore format: one line

/** Memory after the first round and after the last may differ by this much. */
const FLAT = 0.05;

const folder = mkdtempSync(join(tmpdir(), 'rcnn-bench-serve-'));
const weights = options.weights ?? join(folder, 'small.safetensors');
let ok = true;
const check = (holds: boolean, sentence: string): void => {
  ok &&= holds;
  console.log(`  ${holds ? 'yes' : 'NO '} ${sentence}`);
};
let served: Served | undefined;
try {
  if (options.weights === undefined) await saveSmallModel(weights);
  served = await startServer(weights, 0, queue);
  const requests = await requestsOf(count);
  const memory: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const start = performance.now();
    const outcomes = await sendAll(
      () => served!.address,
      requests,
      width,
      () => undefined,
    );
    memory.push(await memoryOf(served));
    console.log(`Round ${round}: ${count} requests, ${width} at once`);
    report(outcomes, (performance.now() - start) / 1000);
  }
  const [first, last] = [memory[0]!, memory.at(-1)!];
  const growth = (100 * (last / first - 1)).toFixed(1);
  check(last <= first * (1 + FLAT), `memory is flat: ${memory.map(mib).join(', ')} MiB after each round (${growth} %)`);
  served = await killedInTheMiddle(served);
  served.child.removeAllListeners('exit');
  const left = new Promise((resolve) => served!.child.once('exit', resolve));
  served.child.kill('SIGTERM');
  check((await left) === 0, 'the server ends by itself when told to');
  served = undefined;
} finally {
  served?.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;

function report(outcomes: readonly Outcome[], seconds: number): void {
  const good = outcomes.filter((one) => one.good);
  const bad = outcomes.filter((one) => !one.good);
  const answered = good.filter(({ status }) => status === 200);
  const refused = bad.filter(({ status, said }) => (typeof status === 'number' ? status >= 400 && status < 500 : said === 'the client left')); // biome-ignore format: one line
  const times = answered.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  const at = (share: number): string => times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(0);
  const waits = outcomes.reduce((sum, one) => sum + one.waits, 0);
  console.log(
    `  ${(outcomes.length / seconds).toFixed(1)} requests/s; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ` +
      `longest ${times.at(-1)!.toFixed(0)} ms; sent away for want of room ${waits} times`,
  );
  check(answered.length === good.length, `good requests answered: ${answered.length} of ${good.length}`);
  check(refused.length === bad.length, `bad requests refused with a reason: ${refused.length} of ${bad.length}`);
  const reasons = new Map<string, number>();
  for (const { status, said } of bad) reasons.set(`${status} ${said}`, (reasons.get(`${status} ${said}`) ?? 0) + 1);
  console.log(`      ${[...reasons].map(([reason, times]) => `${times} x ${reason}`).join(', ')}`);
}

/** Half of the requests, then the server is killed and started again: whoever had no answer hears that at once. */
async function killedInTheMiddle(before: Served): Promise<Served> {
  const port = Number(new URL(before.address).port);
  before.child.removeAllListeners('exit');
  let now = Promise.resolve(before);
  let killed = 0;
  const requests = (await requestsOf(count)).filter(({ good }) => good);
  let seen = 0;
  const lost: Outcome[] = [];
  const again = async (): Promise<void> => {
    while (seen < requests.length) {
      const asked = requests[seen++]!;
      const { address } = await now;
      const [outcome] = await sendAll(
        () => address,
        [asked],
        1,
        () => undefined,
      );
      if (outcome!.status === 'lost') {
        lost.push(outcome!);
        requests.push(asked); // as a client would
      }
      if (seen >= requests.length >> 1 && killed === 0) {
        killed = performance.now();
        now = new Promise((resolve) => before.child.once('exit', () => resolve(startServer(weights, port, queue))));
        before.child.kill('SIGKILL');
      }
    }
  };
  await Promise.all(Array.from({ length: width }, again));
  console.log(`Killed under load and started again on the same port`);
  check(lost.length <= width, `${lost.length} requests were under way and heard of it; all ${requests.length - lost.length} were answered in the end`); // biome-ignore format: one line
  return now;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
