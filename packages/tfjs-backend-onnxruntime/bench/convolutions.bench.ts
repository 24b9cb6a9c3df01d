/**
 * 3x3 convolutions directly and by Winograd's method, all passes, in turns; which of them `auto` takes is marked. Filters
 * change from one turn to the next, as in a training. Beside PyTorch: `npm run bench -- engines --only 3x3 --python PATH`.
 *
 *   npm run bench -- convolutions [--rounds 7] [--threads N] [--only 256]
 *
 * Milliseconds, medians, of the wall and (cpu) of all threads together, which other work on the machine disturbs less.
 */
import { benchOptions } from '@rcnn/shared/bench';
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME, type Convolutions, configure, defaultThreads, OrtBackend } from '../src/index.ts';
import { prefersWinograd } from '../src/kernels/convolution/winograd/choice.ts';

/** Layers of Mask R-CNN R50-FPN: prediction of 800x1216, training of two images of 384x512, the mask head, a small model. */
const SHAPES = [
  [1, 200, 304, 64, 64],
  [1, 200, 304, 256, 256],
  [1, 100, 152, 128, 128],
  [1, 50, 76, 256, 256],
  [1, 25, 38, 512, 512],
  [2, 96, 128, 256, 256],
  [2, 48, 64, 128, 128],
  [2, 24, 32, 256, 256],
  [2, 12, 16, 512, 512],
  [64, 14, 14, 256, 256],
  [4, 32, 32, 64, 64],
  [4, 16, 16, 64, 64],
] as const;

const options = benchOptions({
  rounds: { type: 'string', default: '7' },
  threads: { type: 'string', default: String(defaultThreads()) },
  only: { type: 'string', default: '' },
});
const rounds = Number(options.rounds);
const WAYS = ['direct', 'winograd'] as const satisfies readonly Convolutions[];
const nameOf = (way: Convolutions): string => `${BACKEND_NAME}-${way}`;

configure({ threads: Number(options.threads) });
for (const way of WAYS) {
  tf.registerBackend(nameOf(way), () => new OrtBackend({ convolutions: way, threads: Number(options.threads) }));
  for (const kernel of tf.getKernelsForBackend(BACKEND_NAME))
    tf.registerKernel({ ...kernel, backendName: nameOf(way) });
}
const rule = new OrtBackend({ convolutions: 'auto', threads: Number(options.threads) });
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

type Shape = (typeof SHAPES)[number];
type Pass = 'forward' | 'input gradient' | 'filter gradient';

function passOf([n, h, w, inChannels, outChannels]: Shape, pass: Pass): () => tf.Tensor {
  const xShape = [n, h, w, inChannels];
  const filterShape = [3, 3, inChannels, outChannels];
  const random = (shape: readonly number[], seed: number) => tf.randomUniform([...shape], -1, 1, 'float32', seed);
  const attrs = { strides: 1, pad: 'same', dataFormat: 'NHWC', dimRoundingMode: undefined };
  const run = (kernel: string, inputs: object, own: object) =>
    tf.engine().runKernel(kernel, inputs as never, { ...attrs, ...own } as never) as tf.Tensor;
  const filter = () => random(filterShape, 2) as tf.Tensor4D;
  const [x, dy] = [random(xShape, 1) as tf.Tensor4D, random([n, h, w, outChannels], 3)];
  if (pass === 'filter gradient') return () => run(tf.Conv2DBackpropFilter, { x, dy }, { filterShape });
  const fresh = filter();
  if (pass === 'forward') return () => tf.conv2d(x, fresh, 1, 'same');
  return () => run(tf.Conv2DBackpropInput, { dy, filter: fresh }, { inputShape: xShape });
}

interface Times {
  readonly wall: number[];
  readonly cpu: number[];
}

async function measure(shape: Shape, pass: Pass): Promise<Record<(typeof WAYS)[number], Times>> {
  const times = { direct: { wall: [], cpu: [] } as Times, winograd: { wall: [], cpu: [] } as Times };
  for (let round = -1; round < rounds; round++) {
    for (const way of WAYS) {
      await tf.setBackend(nameOf(way));
      tf.engine().startScope();
      const work = passOf(shape, pass); // a new filter, so that putting it in order counts
      const [wall, cpu] = [performance.now(), cpuMs()];
      work();
      const took = [performance.now() - wall, cpuMs() - cpu] as const;
      tf.engine().endScope();
      if (round < 0) continue;
      times[way].wall.push(took[0]);
      times[way].cpu.push(took[1]);
    }
  }
  return times;
}

console.log(`${options.threads} threads, ${rounds} rounds`);
for (const shape of SHAPES) {
  const name = shape.join('x');
  if (!name.includes(options.only)) continue;
  for (const pass of ['forward', 'input gradient', 'filter gradient'] as const) {
    const { direct, winograd } = await measure(shape, pass);
    const [n, h, w, inChannels, outChannels] = shape;
    const size = pass === 'input gradient' ? { n, h, w, inChannels: outChannels, outChannels: inChannels } : { n, h, w, inChannels, outChannels }; // biome-ignore format: one line
    const takes = prefersWinograd(rule, pass === 'filter gradient' ? 'filter' : 'map', size) ? 'winograd' : 'direct';
    const [d, v] = [median(direct.wall), median(winograd.wall)];
    const cpu = `cpu ${median(direct.cpu).toFixed(1)} and ${median(winograd.cpu).toFixed(1)}`;
    console.log(
      `${name.padEnd(20)} ${pass.padEnd(16)} direct ${d.toFixed(1).padStart(7)}  winograd ${v.toFixed(1).padStart(7)}  ${(d / v).toFixed(2)}x  (${cpu})  auto: ${takes}`,
    );
  }
}
