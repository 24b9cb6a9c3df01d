import type { EngineDriver } from '../driver.ts';
import { setEnvironment } from '../host.ts';
import { packageVersion } from '../packages.ts';
import { loadBackend } from './load.ts';

const PACKAGE = '@rcnn/tfjs-backend-onnxruntime';

/** Native kernels of onnxruntime: the default in Node. */
export const onnxruntime: EngineDriver = {
  name: 'onnxruntime',
  backend: 'onnxruntime',
  hint: `Install it: npm install ${PACKAGE}.`,
  async open({ loader, threads }) {
    setEnvironment('RCNN_THREADS', String(threads)); // read by the backend when it makes its sessions
    await loadBackend('onnxruntime', PACKAGE, loader);
    return { version: packageVersion(PACKAGE) ?? 'unknown', device: 'CPU', threads };
  },
};
