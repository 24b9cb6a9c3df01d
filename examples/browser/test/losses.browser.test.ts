import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { page } from 'vitest/browser';
import html from '../index.html?raw';
import { openEngine } from '../src/engine.ts';
import { LOSSES, trainTiny } from './tiny.ts';

test.each(['cpu', 'webgl', 'webgpu'] as const)('three steps on %s have the losses that Node has', async (name) => {
  const engine = await openEngine(name);
  expect(engine.name).toBe(name);
  const before = tf.memory().numTensors;
  const { training, losses } = await trainTiny();
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(LOSSES[i]!, 3);
  training.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('the page trains when Start is pressed, stops when Stop is, and shows what it found', async () => {
  document.body.innerHTML = new DOMParser().parseFromString(html, 'text/html').body.innerHTML;
  await import('../src/main.ts');
  await page.getByLabelText('Engine').selectOptions('webgl');
  await page.getByLabelText('Pictures per step').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  const status = page.getByRole('status');
  await expect.element(status, { timeout: 240_000 }).toHaveTextContent(/^Step 1 of 750 on webgl/);
  expect(document.querySelectorAll('#pictures canvas, #curve canvas')).toHaveLength(2);
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect.element(status, { timeout: 60_000 }).toHaveTextContent(/^Measuring/);
});
