import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

/** What an application does: import core, take a gradient. */
const program = `
  import { Conv2d } from '../../dist/index.js';
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  const conv = new Conv2d(1, 1, { kernelSize: 3, activation: 'relu' });
  const gradient = tf.grad((x) => tf.sum(tf.square(x)))(tf.tensor1d([1, 2, 3]));
  const { value } = tf.variableGrads(() => tf.sum(conv.forward(tf.ones([1, 4, 4, 1]))), [conv.bias.variable]);
  console.log(JSON.stringify([...gradient.dataSync(), value.shape.length]));
`;

test('gradients survive bundling, minified and tree-shaken', async () => {
  const folder = mkdtempSync(join(here, 'bundle-'));
  try {
    const entry = join(folder, 'program.mjs');
    const outfile = join(folder, 'bundle.cjs');
    writeFileSync(entry, program);
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      minify: true,
      treeShaking: true,
      format: 'cjs',
      platform: 'node',
      mainFields: ['module', 'main'],
      logLevel: 'error',
    });
    const output = execFileSync(process.execPath, [outfile], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    expect(JSON.parse(output)).toEqual([2, 4, 6, 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
