import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, test } from 'vitest';
import { describeEngines, type EngineReport, useEngine } from '../../src/index.ts';

/** Debian's chromium brings this software driver; another one may be named in the environment. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
process.env['VK_ICD_FILENAMES'] ??= existsSync(SWIFTSHADER) ? SWIFTSHADER : '';

const [report] = (await describeEngines({ names: ['webgpu'], budget: 0 })) as [EngineReport];
const missing = report.ability === 'missing';
const ADAPTER = { meta: { whySkipped: `needs an adapter of WebGPU: ${report.why}` } };
const NONE = { meta: { whySkipped: 'needs a machine without an adapter of WebGPU' } };
const SOFTWARE = { meta: { whySkipped: 'needs a WebGPU whose only device is software' } };

describe('webgpu in Node', () => {
  test.skipIf(missing)('trains where there is an adapter', ADAPTER, async () => {
    expect(report).toMatchObject({ ability: 'train' });
    await useEngine('webgpu', { task: 'train' });
    const y = tf.conv2d(tf.ones<tf.Rank.R4>([1, 3, 3, 2]), tf.ones<tf.Rank.R4>([3, 3, 2, 1]), 1, 'valid');
    expect([...(await y.data())]).toEqual([18]);
  });

  test.runIf(report.software === true)('without a GPU it is used when asked for, not by auto', SOFTWARE, async () => {
    const { name, passedBy } = await useEngine('auto');
    expect(name).not.toBe('webgpu');
    expect(passedBy.find((engine) => engine.name === 'webgpu')?.why).toMatch(
      /^its only device is .*software|^this machine shows no GPU$/,
    );
  });

  test.runIf(missing)('without an adapter it says so', NONE, () => {
    expect(report.why).toMatch(/no adapter|not installed/);
  });
});
