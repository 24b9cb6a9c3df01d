import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { describeEngines, type EngineReport, useEngine } from '../../src/index.ts';

/** Debian's chromium brings this software driver; another one may be named in the environment. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
process.env['VK_ICD_FILENAMES'] ??= existsSync(SWIFTSHADER) ? SWIFTSHADER : '';

let report: EngineReport;
beforeAll(async () => {
  [report] = (await describeEngines({ names: ['webgpu'], budget: 0 })) as [EngineReport];
});

describe('webgpu in Node', () => {
  test('trains where there is an adapter', async ({ skip }) => {
    skip(report.ability === 'missing', `no adapter: ${report.why}`);
    expect(report).toMatchObject({ ability: 'train' });
    await useEngine('webgpu', { task: 'train' });
    const y = tf.conv2d(tf.ones<tf.Rank.R4>([1, 3, 3, 2]), tf.ones<tf.Rank.R4>([3, 3, 2, 1]), 1, 'valid');
    expect([...(await y.data())]).toEqual([18]);
  });

  test('without a GPU it is used when asked for by name, and not by auto', async ({ skip }) => {
    skip(report.software !== true, report.why ?? 'there is a GPU');
    const { name, passedBy } = await useEngine('auto');
    expect(name).not.toBe('webgpu');
    expect(passedBy.find((engine) => engine.name === 'webgpu')?.why).toMatch(
      /^its only device is .*software|^this machine shows no GPU$/,
    );
  });

  test('without an adapter it says so', ({ skip }) => {
    skip(report.ability !== 'missing', 'there is an adapter');
    expect(report.why).toMatch(/no adapter|not installed/);
  });
});
