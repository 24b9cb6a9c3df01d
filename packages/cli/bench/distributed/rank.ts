/** One process of a team: `rank.ts RANK HOSTS MODE BATCH STEPS`. Works once for each line of input and says what it took. */
import { createInterface } from 'node:readline';
import { type PixelImage, Random, type Target, useEngine } from '@rcnn/core';
import type { ProcessGroup } from '@rcnn/distributed';
import { Mask } from '@rcnn/masks';
import { joinGroup } from '@rcnn/tfjs-tensorflow';
import { groupParameters, SGD, sharedStep, type TrainingBatch } from '@rcnn/train';
import * as tf from '@tensorflow/tfjs-core';
import { type MaskRCNN, maskRcnnResnet50Fpn, maskRcnnSmall } from 'mask-rcnn';
import { loaders } from '../../src/engines/loaders.ts';
import type { Held, Turn } from './turn.ts';

const [rank, hosts, mode = 'small', batchSize, steps] = process.argv.slice(2);
await useEngine('tensorflow', { task: 'train', threads: 1, loaders });
const group = await joinGroup({ rank: Number(rank), hosts: hosts!.split(',') });

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const now = (): number => performance.now() / 1000;

/** A group that says how long its means took: the waiting for others apart, by a meeting with nothing to bring. */
class Timed implements ProcessGroup {
  readonly rank = group.rank;
  readonly size = group.size;
  waiting = 0;
  meeting = 0;
  meetingCpu = 0;

  async allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    const begin = now();
    await group.barrier();
    const [there, before] = [now(), cpu()];
    const means = await group.allReduceMean(tensors);
    this.waiting += there - begin;
    this.meeting += now() - there;
    this.meetingCpu += cpu() - before;
    return means;
  }

  allReduceMeanSync = (tensors: readonly tf.Tensor[]): tf.Tensor[] => group.allReduceMeanSync(tensors);
  broadcast = (tensors: readonly tf.Tensor[], from?: number): Promise<tf.Tensor[]> => group.broadcast(tensors, from);
  barrier = (): Promise<void> => group.barrier();
  reset = (): Promise<void> => group.reset();
  close = (): void => group.close();
}

const work = mode === 'after' || mode === 'beside' ? reducing(mode) : training();
for await (const _ of createInterface({ input: process.stdin })) {
  const turn = await work();
  console.log(JSON.stringify({ ...turn, ...held() }));
}
await group.barrier();
group.close();
process.exit(0);

function held(): Held {
  const mebibytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
  return { rank: Number(rank), tensors: tf.memory().numTensors, mebibytes };
}

/** Steps of a Mask R-CNN on pictures that are made of numbers. */
function training(): () => Promise<Turn> {
  const [height, width] = mode === 'r50' ? [512, 512] : [128, 192];
  const random = new Random(1).fork('rank', group.rank);
  const model: MaskRCNN =
    mode === 'r50' ? maskRcnnResnet50Fpn({ minSize: 512, maxSize: 512 }) : maskRcnnSmall({ numClasses: 5 });
  const parameters = model.namedParameters();
  const options = { model, optimizer: new SGD(parameters), groups: groupParameters(parameters), clipNorm: 1 };
  const batch: TrainingBatch = {
    images: Array.from({ length: Number(batchSize) }, () => picture(random, height, width)),
    targets: Array.from({ length: Number(batchSize) }, () => truth(random, height, width)),
  };
  let step = 0;
  return async () => {
    const timed = new Timed();
    const [begin, before] = [now(), cpu()];
    for (let i = 0; i < Number(steps); i++) {
      const context = { step: ++step, learningRate: 1e-4, random: new Random(1).fork('step', step) };
      await sharedStep({ ...options, group: timed }, { batches: [batch], first: group.rank }, context);
    }
    const { waiting, meeting, meetingCpu } = timed;
    return each({ wall: now() - begin, cpu: cpu() - before, waiting, meeting, meetingCpu });
  };
}

/** As many gradients as R50-FPN has, and convolutions for about as long, one after the other or at once. */
function reducing(how: 'after' | 'beside'): () => Promise<Turn> {
  const gradients = tf.randomUniform([44_500_000]);
  const map = tf.randomUniform<tf.Rank.R4>([1, 128, 128, 64]);
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 64, 64]);
  const convolve = async (): Promise<void> => {
    for (let i = 0; i < 120; i++) {
      tf.tidy(() => tf.conv2d(map, filter, 1, 'same')).dispose();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const reduce = async (): Promise<void> => tf.dispose(await group.allReduceMean([gradients]));
  return async () => {
    await group.barrier();
    const [begin, before] = [now(), cpu()];
    for (let i = 0; i < Number(steps); i++) {
      if (how === 'beside') await Promise.all([reduce(), convolve()]);
      else {
        await convolve();
        await reduce();
      }
    }
    return each({ wall: now() - begin, cpu: cpu() - before, waiting: 0, meeting: 0, meetingCpu: 0 });
  };
}

function each(sums: Turn): Turn {
  const entries = Object.entries(sums).map(([name, sum]) => [name, (sum as number) / Number(steps)]);
  return Object.fromEntries(entries) as unknown as Turn;
}

function picture(random: Random, height: number, width: number): PixelImage {
  const data = Float32Array.from({ length: height * width * 3 }, () => random.uniform());
  return { data, height, width, channels: 3 };
}

/** Four objects, each a rectangle. */
function truth(random: Random, height: number, width: number): Target {
  const boxes = new Float32Array(16);
  const masks = Array.from({ length: 4 }, (_, i) => {
    const [y, x] = [height, width].map((side) => Math.floor(random.uniform() * 0.5 * side)) as [number, number];
    const [bottom, right] = [y + Math.floor(height / 3), x + Math.floor(width / 3)];
    boxes.set([x, y, right, bottom], 4 * i);
    const bitmap = new Uint8Array(height * width);
    for (let row = y; row < bottom; row++) bitmap.fill(1, row * width + x, row * width + right);
    return Mask.fromBitmap(bitmap, [height, width]);
  });
  return { boxes, labels: Int32Array.of(1, 2, 3, 4), masks };
}
