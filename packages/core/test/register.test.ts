import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** A process of its own, which imports core before tfjs-core, as biome sorts imports. */
const program = `
  import '@rcnn/core';
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  const x = tf.tensor1d([1, 2]);
  console.log(JSON.stringify([x.constructor === tf.Tensor, [...x.clone().dataSync()]]));
`.replace('@rcnn/core', new URL('../dist/index.js', import.meta.url).href);

test('tensors are those of the installed tfjs-core, whichever is imported first', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(JSON.parse(output)).toEqual([true, [1, 2]]);
});
