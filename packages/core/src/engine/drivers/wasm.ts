import * as tf from '@tensorflow/tfjs-core';
import type { EngineDriver } from '../driver.ts';
import { availableThreads, isNode } from '../host.ts';
import { packageVersion } from '../packages.ts';
import { loadBackend } from './load.ts';

/** The flag of tfjs by which an application turns its threads off. */
const THREADS = 'WASM_HAS_MULTITHREAD_SUPPORT';

/** XNNPACK in WebAssembly: predicts, does not train. Threads need a browser page with COOP and COEP headers. */
export const wasm: EngineDriver = {
  name: 'wasm',
  backend: 'wasm',
  hint: 'Install it: npm install @tensorflow/tfjs-backend-wasm.',
  browserHint:
    'Import @tensorflow/tfjs-backend-wasm, and call its setWasmPaths with the addresses of its three .wasm files: ' +
    'a bundler copies them where you name them (Vite: import url from "….wasm?url"), and without it they are looked for beside the script.',
  async open({ loader, threads = availableThreads() }) {
    await loadBackend('wasm', '@tensorflow/tfjs-backend-wasm', loader);
    const threaded = !isNode() && globalThis.crossOriginIsolated && (await tf.env().getAsync(THREADS)) === true;
    return {
      version: packageVersion('@tensorflow/tfjs-backend-wasm') ?? tf.version_core,
      device: 'CPU',
      threads: threaded ? threads : 1,
    };
  },
};
