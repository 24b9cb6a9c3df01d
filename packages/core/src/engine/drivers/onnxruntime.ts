import type { EngineDriver } from '../driver.ts';
import { availableThreads } from '../host.ts';
import { packageVersion } from '../packages.ts';
import { Unavailable } from '../unavailable.ts';
import { loadBackend, loadModule } from './load.ts';

const PACKAGE = '@rcnn/tfjs-backend-onnxruntime';

/** What the package gives; stated here because core does not depend on a backend. */
interface OnnxRuntimePackage {
  configure(options: { threads: number }): void;
  defaultThreads(): number;
  probe(): { readonly works: true } | { readonly works: false; readonly reason: string };
}

/** Native kernels of onnxruntime: the default in Node. */
export const onnxruntime: EngineDriver = {
  name: 'onnxruntime',
  backend: 'onnxruntime',
  hint: `Install it: npm install ${PACKAGE}.`,
  async open({ loader, threads }) {
    const module = await loadModule(PACKAGE, loader);
    await loadBackend('onnxruntime', PACKAGE, loader); // sees that it is registered
    const { configure, defaultThreads, probe } = module as Partial<OnnxRuntimePackage>;
    const native = probe?.();
    if (native?.works === false) throw new Unavailable(native.reason);
    if (threads !== undefined) configure?.({ threads });
    return {
      version: packageVersion(PACKAGE) ?? 'unknown',
      device: 'CPU',
      threads: threads ?? defaultThreads?.() ?? availableThreads(),
    };
  },
};
