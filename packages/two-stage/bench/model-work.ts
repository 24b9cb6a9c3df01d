// The work of the benchmark of whole models, in a process of its own so that its peak memory is its own:
//   node --import tsx model-work.ts predict|train|small|mobilenet RUNS
// Prints one line of JSON, as tools/reference/time_model.py does for torchvision.
import '@rcnn/tfjs-backend-onnxruntime';
import { loadStateDict } from '@rcnn/checkpoint';
import {
  countParameters,
  type Parameter,
  type PixelImage,
  Random,
  type Target,
  trainableParameters,
  valueAndGradients,
  withoutInitialising,
} from '@rcnn/core';
import { hashedUnits, hashedWeights } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { AdamW, trainingStep } from '@rcnn/optim';
import * as tf from '@tensorflow/tfjs-core';
import {
  type MaskRCNN,
  maskRcnnMobileNetV3Large320Fpn,
  maskRcnnResnet50Fpn,
  maskRcnnSmall,
  type Recipe,
  type RecipeOptions,
} from '../src/index.ts';

export interface WorkResult {
  /** Seconds, without the first run. */
  readonly times: number[];
  readonly first: number;
  /** CPU seconds of each run, all threads together: steadier than wall time on a machine that does other work too. */
  readonly cpu: number[];
  readonly peakBytes: number;
  readonly detections?: number;
  readonly losses?: Record<string, number>;
  /** How many of them the model has. */
  readonly weights?: number;
}

async function build(options: RecipeOptions, recipe: Recipe<MaskRCNN> = maskRcnnResnet50Fpn): Promise<MaskRCNN> {
  const model = withoutInitialising(() => recipe(options));
  await loadStateDict(model, hashedWeights(model, 'dev/'));
  return model;
}

function image(name: string, height: number, width: number): PixelImage {
  return { data: Float32Array.from(hashedUnits(name, height * width * 3)), height, width, channels: 3 };
}

function target(index: number, size: number, classes = 10): Target {
  const u = hashedUnits(`target ${index}`, 40);
  const boxes = new Float32Array(40);
  for (let k = 0; k < 40; k += 4) {
    for (const c of [0, 1]) {
      const low = u[k + c]! * 0.6 * size;
      boxes[k + c] = low;
      boxes[k + c + 2] = Math.min(low + (0.1 + 0.3 * u[k + c + 2]!) * size, size - 1);
    }
  }
  const masks = Array.from({ length: 10 }, (_, k) => {
    const [x1, y1, x2, y2] = [...boxes.subarray(k * 4, k * 4 + 4)].map(Math.floor) as [number, number, number, number];
    const bitmap = new Uint8Array(size * size);
    for (let y = y1; y < y2; y++) bitmap.fill(1, y * size + x1, y * size + x2);
    return Mask.fromBitmap(bitmap, [size, size]);
  });
  return { boxes, labels: Int32Array.from({ length: 10 }, (_, k) => 1 + (k % classes)), masks };
}

async function timed(runs: number, body: () => Promise<void>): Promise<Pick<WorkResult, 'times' | 'first' | 'cpu'>> {
  const times: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    const before = process.cpuUsage();
    await body();
    times.push((performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1e6);
  }
  return { times: times.slice(1), first: times[0]!, cpu: cpu.slice(1) };
}

async function predict(runs: number): Promise<Omit<WorkResult, 'peakBytes'>> {
  const model = await build({ minSize: 800, maxSize: 1333 });
  const images = [image('image', 800, 1216)];
  let detections = 0;
  const result = await timed(runs, async () => {
    const [found] = await model.detect(images);
    detections = found!.map(({ mask }) => mask!.rle()).length;
  });
  return { ...result, detections };
}

async function train(runs: number): Promise<Omit<WorkResult, 'peakBytes'>> {
  return bySGD(runs, await build({ minSize: 512, maxSize: 512 }), { count: 2, size: 512 });
}

/** The step of the small model for browsers, whose three upper stages learn. */
async function mobilenet(runs: number): Promise<Omit<WorkResult, 'peakBytes'>> {
  const model = await build({}, maskRcnnMobileNetV3Large320Fpn);
  for (const [name, parameter] of model.namedParameters()) {
    if (!/fpn\.inner_blocks\.\d\.0\.weight$/.test(name)) continue;
    tf.tidy(() => parameter.assign(tf.div(parameter.value, 128))); // hashed weights make large maps: all scores were 1
  }
  return { ...(await bySGD(3 * runs, model, { count: 4, size: 320 })), weights: countParameters(model) };
}

async function bySGD(
  runs: number,
  model: MaskRCNN,
  { count, size }: { readonly count: number; readonly size: number },
): Promise<Omit<WorkResult, 'peakBytes'>> {
  const images = Array.from({ length: count }, (_, i) => image(`image ${i}`, size, size));
  const targets = images.map((_, i) => target(i, size));
  const parameters = trainableParameters(model);
  const velocities = new Map<string, tf.Tensor>();
  let losses: Record<string, number> | undefined;
  const result = await timed(runs, async () => {
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const parts = await model.losses(images, targets);
      return { loss: tf.addN(Object.values(parts)), extra: parts };
    }, parameters);
    for (const [name, gradient] of gradients) update(parameters.get(name)!, gradient, velocities, name);
    losses ??= Object.fromEntries(Object.entries(extra).map(([name, part]) => [name, part.dataSync()[0]!]));
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  });
  return { ...result, losses: losses! };
}

/** The step of the demo: everything learns, by AdamW as `train` takes it. */
async function small(runs: number): Promise<Omit<WorkResult, 'peakBytes'>> {
  const model = await build({ numClasses: 5 }, maskRcnnSmall);
  const batch = {
    images: [0, 1, 2, 3].map((i) => image(`image ${i}`, 128, 128)),
    targets: [0, 1, 2, 3].map((i) => target(i, 128, 4)),
  };
  const optimizer = new AdamW(model.namedParameters());
  let step = 0;
  let losses: Readonly<Record<string, number>> | undefined;
  const result = await timed(10 * runs, async () => {
    const context = { step: ++step, learningRate: 1e-4, random: new Random(step) };
    const done = await trainingStep({ model, optimizer }, [batch], context);
    losses ??= done.losses;
  });
  return { ...result, losses: losses!, weights: countParameters(model) };
}

/** SGD with momentum and weight decay, as torch.optim.SGD. */
function update(parameter: Parameter, gradient: tf.Tensor, velocities: Map<string, tf.Tensor>, name: string): void {
  const before = velocities.get(name);
  const velocity = tf.tidy(() => {
    const decayed = tf.add(gradient, tf.mul(parameter.value, 1e-4));
    return before === undefined ? decayed : tf.add(tf.mul(before, 0.9), decayed);
  });
  before?.dispose();
  velocities.set(name, velocity);
  tf.tidy(() => parameter.assign(tf.sub(parameter.value, tf.mul(velocity, 1e-4))));
}

await tf.setBackend('onnxruntime');
const [what, runs] = process.argv.slice(2);
const works = { predict, train, small, mobilenet };
const result = await works[what as keyof typeof works](Number(runs));
console.log(JSON.stringify({ ...result, peakBytes: process.resourceUsage().maxRSS * 1024 }));
