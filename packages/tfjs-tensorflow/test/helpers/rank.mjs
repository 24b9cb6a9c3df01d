// One rank of a group over TensorFlow, for collectives.test.ts: rank.mjs DIST SCENE, with RANK, SIZE, PORT and TIMEOUT in the
// environment. Prints one line of JSON: what it saw, or the code and message of its error.
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [dist, scene] = process.argv.slice(2);
const [rank, size, port, timeout] = ['RANK', 'SIZE', 'PORT', 'TIMEOUT'].map((name) => Number(process.env[name]));
process.env.TF_CPP_MIN_LOG_LEVEL = '3';
const tf = await import(pathToFileURL(createRequire(import.meta.url).resolve('@tensorflow/tfjs-core')).href);
const { joinGroup, loadTensorFlow } = await import(dist);
loadTensorFlow();
await tf.setBackend('tensorflow');
const hosts = Array.from({ length: size }, (_, i) => `127.0.0.1:${port + i}`);

/** @type {Record<string, (group: import('@rcnn/distributed').ProcessGroup) => Promise<unknown>>} */
const scenes = {
  async meet(group) {
    const given = [tf.tensor1d([rank, 6]), tf.tensor2d([[rank, 1]])];
    const before = tf.memory().numTensors;
    const seen = [];
    for (const meeting of [() => group.allReduceMean(given), () => group.broadcast(given, size - 1)]) {
      const answers = await meeting();
      seen.push(answers.map((answer) => [...answer.dataSync()]));
      tf.dispose(answers);
    }
    const waited = group.allReduceMeanSync(given);
    seen.push(waited.map((answer) => [...answer.dataSync()]));
    tf.dispose(waited);
    for (let i = 0; i < 1000; i++) tf.dispose(await group.allReduceMean([given[0]]));
    await group.barrier();
    return { seen, gained: tf.memory().numTensors - before };
  },
  async tick(group) {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    if (rank === 1) await pause(500);
    await group.barrier();
    clearInterval(timer);
    return { ticks };
  },
  async killed(group) {
    if (rank === 1) process.kill(process.pid, 'SIGKILL');
    await group.barrier();
  },
  async killedInStep(group) {
    if (rank === 1) process.kill(process.pid, 'SIGKILL');
    const told = [];
    for (const meeting of [() => group.allReduceMeanSync([tf.scalar(1)]), () => group.barrier()]) {
      try {
        await meeting();
      } catch (error) {
        told.push(error.code, error.message);
      }
    }
    return { told };
  },
  async frozenInStep(group) {
    if (rank === 1) process.kill(process.pid, 'SIGSTOP');
    group.allReduceMeanSync([tf.scalar(1)]);
  },
  async hangs(group) {
    if (rank === 1) await pause(10_000);
    await group.barrier();
  },
  async comesBack(group) {
    const again = process.env.AGAIN === '1';
    if (rank === 1 && !again) process.kill(process.pid, 'SIGKILL');
    let lost;
    if (!again) await group.barrier().catch((error) => (lost = error.code));
    if (lost !== undefined) await group.reset();
    const [mean] = await group.allReduceMean([tf.tensor1d([rank])]);
    await group.barrier();
    return { lost, mean: [...mean.dataSync()] };
  },
};

let result;
try {
  const group = await joinGroup({ rank, hosts, timeout });
  result = await scenes[scene](group);
} catch (error) {
  result = { code: error.code, message: error.message };
}
process.stdout.write(`${JSON.stringify({ rank, ...result })}\n`, () => process.exit(0));
