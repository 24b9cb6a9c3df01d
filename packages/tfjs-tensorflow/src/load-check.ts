/**
 * Run in a process of its own by the setup, because a wrong library takes the whole process down. Loads the binding and
 * convolves once: `node load-check.js <package folder> <binding>`. Prints one line of JSON.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { loadBinding } from './load.ts';
import type { TfjsNodeName } from './tfjs-node.ts';

interface Tensor {
  dataSync(): ArrayLike<number>;
}

interface Tfjs {
  ones(shape: readonly number[]): Tensor;
  conv2d(x: Tensor, filter: Tensor, strides: number, pad: string): Tensor;
  backend(): { readonly isUsingGpuDevice?: boolean };
}

const [folder = '', binding = ''] = process.argv.slice(2);
const { name, version } = createRequire(import.meta.url)(join(folder, 'package.json')) as {
  name: TfjsNodeName;
  version: string;
};
const tf = loadBinding({ name, version, folder }, binding) as unknown as Tfjs;
const [sum] = tf.conv2d(tf.ones([1, 3, 3, 2]), tf.ones([3, 3, 2, 1]), 1, 'valid').dataSync() as unknown as number[];
if (sum !== 18) throw new Error(`a convolution of ones gives ${sum}, expected 18`);
process.stdout.write(`${JSON.stringify({ gpu: tf.backend().isUsingGpuDevice === true })}\n`);
