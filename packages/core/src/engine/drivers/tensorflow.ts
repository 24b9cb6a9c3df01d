import * as tf from '@tensorflow/tfjs-core';
import { isRcnnError } from '../../errors.ts';
import type { EngineDriver, EngineLoader, OpenedEngine } from '../driver.ts';
import { availableThreads, environment, setEnvironment } from '../host.ts';
import { importOptional, packageVersion } from '../packages.ts';
import { firstLine, Unavailable } from '../unavailable.ts';

/** What `@rcnn/tfjs-tensorflow` gives; stated here because that package stands above this one. */
interface TensorFlowPackage {
  /** Throws an error whose `found` says what is missing. */
  loadTensorFlow(): { readonly version: string; readonly gpu: boolean };
}

const PLAIN_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/** TensorFlow itself, through tfjs-node or tfjs-node-gpu, where one of them is installed and loads. */
export const tensorflow: EngineDriver = {
  name: 'tensorflow',
  backend: 'tensorflow',
  hint: 'Install @tensorflow/tfjs-node (scripts refused is fine) and @rcnn/tfjs-tensorflow, then run: npx mask-rcnn setup tensorflow.',
  async open({ threads = availableThreads(), loader }) {
    // Read once, when TensorFlow makes its devices.
    setEnvironment('TF_NUM_INTRAOP_THREADS', String(threads));
    setEnvironment('TF_NUM_INTEROP_THREADS', '1'); // the ops of tfjs come one at a time
    // Errors only, because it greets on stderr; whoever wants less of it has said so.
    if (environment('TF_CPP_MIN_LOG_LEVEL') !== '3') setEnvironment('TF_CPP_MIN_LOG_LEVEL', '2');
    return (await openPrepared(threads, loader)) ?? (await openPlain(threads));
  },
};

/** By way of our own package, which finds what `setup tensorflow` has built. */
async function openPrepared(threads: number, loader: EngineLoader | undefined): Promise<OpenedEngine | undefined> {
  const loaded = loader === undefined ? await findPrepared() : await loader();
  if (!isPrepared(loaded)) return undefined;
  try {
    const { version, gpu } = loaded.loadTensorFlow();
    return { version, device: gpu ? 'GPU (CUDA)' : 'CPU', threads: gpu ? undefined : threads };
  } catch (cause) {
    throw new Unavailable(isRcnnError(cause) ? (cause.found ?? cause.message) : firstLine(cause), { cause });
  }
}

async function findPrepared(): Promise<unknown> {
  const search = await importOptional('@rcnn/tfjs-tensorflow');
  if (search.status === 'failed') throw new Unavailable(firstLine(search.reason), { cause: search.reason });
  return search.status === 'found' ? search.module : undefined;
}

function isPrepared(loaded: unknown): loaded is TensorFlowPackage {
  return typeof (loaded as Partial<TensorFlowPackage> | undefined)?.loadTensorFlow === 'function';
}

/** A tfjs-node whose own installation worked. */
async function openPlain(threads: number): Promise<OpenedEngine> {
  let reason = 'neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu is installed';
  for (const specifier of PLAIN_PACKAGES) {
    const search = await importOptional(specifier);
    if (search.status === 'failed') reason = `${specifier} does not load: ${firstLine(search.reason)}`;
    if (search.status !== 'found' || tf.findBackendFactory('tensorflow') === null) continue;
    const gpu = specifier.endsWith('-gpu');
    const version = `${specifier} ${packageVersion(specifier) ?? ''}`.trim();
    return { version, device: gpu ? 'GPU (CUDA)' : 'CPU', threads: gpu ? undefined : threads };
  }
  throw new Unavailable(reason);
}
