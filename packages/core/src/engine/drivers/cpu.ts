import * as tf from '@tensorflow/tfjs-core';
import type { EngineDriver } from '../driver.ts';
import { packageVersion } from '../packages.ts';
import { registerPlainKernels } from '../plain/kernels.ts';
import { loadBackend } from './load.ts';

/** Plain JavaScript: everywhere, and for toy sizes only. */
export const cpu: EngineDriver = {
  name: 'cpu',
  backend: 'cpu',
  hint: 'Install it: npm install @tensorflow/tfjs-backend-cpu.',
  async open({ loader }) {
    await loadBackend('cpu', '@tensorflow/tfjs-backend-cpu', loader);
    registerPlainKernels();
    return { version: packageVersion('@tensorflow/tfjs-backend-cpu') ?? tf.version_core, device: 'CPU', threads: 1 };
  },
};
