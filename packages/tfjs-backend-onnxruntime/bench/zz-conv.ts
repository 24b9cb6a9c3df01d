import '@rcnn/tfjs-backend-onnxruntime';
import { BACKEND_NAME, OrtBackend } from '@rcnn/tfjs-backend-onnxruntime';
import * as tf from '@tensorflow/tfjs-core';

await tf.setBackend(BACKEND_NAME);
const S: [number, number, number, number, number][] = [
  [4, 4, 512, 512, 1],
  [4, 8, 256, 512, 2],
  [4, 8, 256, 256, 1],
  [4, 16, 128, 256, 2],
  [4, 16, 128, 128, 1],
  [4, 8, 64, 64, 1],
  [4, 4, 64, 64, 1],
  [4, 2, 64, 64, 1],
  [2, 16, 512, 512, 1],
  [2, 32, 256, 512, 2],
].map((a) => a as never);
for (const [n, h, ci, co, s] of S) {
  const run = (k: string, i: object, own: object) =>
    tf
      .engine()
      .runKernel(
        k,
        i as never,
        { strides: s, pad: 1, dataFormat: 'NHWC', dimRoundingMode: undefined, ...own } as never,
      ) as tf.Tensor;
  const x = tf.randomUniform<tf.Rank.R4>([n, h, h, ci], -1, 1);
  const oh = h / s;
  const dy = tf.randomUniform([n, oh, oh, co], -1, 1);
  const line: string[] = [];
  for (const pass of ['f', 'i', 'w']) {
    const t: Record<string, number[]> = { few: [], old: [] };
    for (let r = 0; r < 25; r++)
      for (const way of ['few', 'old']) {
        (globalThis as any).process.env.NOFEW = way === 'old' ? '1' : '';
        const w = tf.randomUniform<tf.Rank.R4>([3, 3, ci, co], -1, 1);
        const c0 = process.cpuUsage();
        const y =
          pass === 'f'
            ? run('Conv2D', { x, filter: w }, {})
            : pass === 'i'
              ? run('Conv2DBackpropInput', { dy, filter: w }, { inputShape: [n, h, h, ci] })
              : run('Conv2DBackpropFilter', { x, dy }, { filterShape: [3, 3, ci, co] });
        const c = process.cpuUsage(c0);
        t[way]!.push((c.user + c.system) / 1000);
        y.dispose();
        w.dispose();
      }
    const q = (l: number[]) => l.toSorted((a, b) => a - b)[6]!;
    line.push(`${pass} ${q(t['old']!).toFixed(2)} -> ${q(t['few']!).toFixed(2)}`);
  }
  console.log(n, h, ci, co, s, line.join('   '));
}
