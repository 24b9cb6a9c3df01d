import Module, { createRequire } from 'node:module';
import { join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { supportExplicitPadding } from './explicit-padding.ts';
import { findInstallation } from './installation.ts';
import type { KernelRegistry } from './kernel-registry.ts';
import { layout } from './layout.ts';
import { supplyRemovedUtilities } from './node-utilities.ts';
import { quickenStep } from './quick-step.ts';
import {
  defaultApplication,
  findTfjsNode,
  hasOwnBinding,
  shortName,
  type TfjsNodePackage,
  tfjsNodeNames,
} from './tfjs-node.ts';

/** Where to look; all of it optional. */
export interface LoadOptions {
  /** A folder of the application, from which `@tensorflow/tfjs-node` is visible. Default: `RCNN_TFJS_NODE_APP`, else the program's. */
  readonly from?: string;
  /** Root of the installation. Default: the variable `RCNN_TENSORFLOW_DIR`, else the user's cache. */
  readonly dir?: string;
}

/** TensorFlow, registered as the tfjs backend `tensorflow`. */
export interface LoadedTensorFlow {
  /** `TensorFlow 2.21.0, tfjs-node 4.22.0` */
  readonly version: string;
  /** Whether it computes on a GPU. */
  readonly gpu: boolean;
}

/** The part of tfjs-node that is used here. */
interface TfjsNode extends KernelRegistry {
  backend(): { readonly isUsingGpuDevice?: boolean };
}

/**
 * Loads `@tensorflow/tfjs-node-gpu` or `@tensorflow/tfjs-node`, whichever is installed and set up, on the TensorFlow
 * that `setup tensorflow` has installed, else on the one of its own. It makes `tensorflow` the current tfjs backend.
 * @throws RcnnError ENGINE_MISSING, saying what is missing
 */
export function loadTensorFlow({ from = defaultApplication(), dir }: LoadOptions = {}): LoadedTensorFlow {
  const reasons: string[] = [];
  for (const name of tfjsNodeNames) {
    const tfjsNode = findTfjsNode(name, from);
    if (tfjsNode === undefined) continue;
    const installation = findInstallation(layout(dir), tfjsNode);
    if (installation === undefined && !hasOwnBinding(tfjsNode)) {
      reasons.push(`${name} ${tfjsNode.version} is installed but not set up`);
      continue;
    }
    try {
      const loaded = loadBinding(tfjsNode, installation?.binding);
      supportExplicitPadding(loaded);
      quickenStep(loaded);
      const tensorflow = installation === undefined ? '' : `TensorFlow ${installation.version}, `;
      const version = `${tensorflow}${shortName(name)} ${tfjsNode.version}`;
      return { version, gpu: loaded.backend().isUsingGpuDevice === true };
    } catch (error) {
      reasons.push(`${name} does not load: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new RcnnError('ENGINE_MISSING', {
    where: 'loadTensorFlow',
    problem: 'TensorFlow is not available',
    found: reasons.join('; ') || 'neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu is installed',
    hint: 'Install @tensorflow/tfjs-node (its script may be refused), then run: npx mask-rcnn setup tensorflow.',
  });
}

/**
 * Requires an installed tfjs-node with a binding of our choice. tfjs-node asks `@mapbox/node-pre-gyp` where its binding
 * lies, and nothing else of it; for the moment of loading, that module answers with ours.
 */
export function loadBinding({ name, folder }: TfjsNodePackage, binding: string | undefined): TfjsNode {
  supplyRemovedUtilities();
  const require = createRequire(join(folder, 'package.json'));
  if (binding === undefined) return require(folder) as TfjsNode;
  const finder = require.resolve('@mapbox/node-pre-gyp');
  const before = require.cache[finder];
  const stub = new Module(finder);
  stub.exports = { find: () => binding };
  stub.loaded = true;
  require.cache[finder] = stub;
  try {
    return require(folder) as TfjsNode;
  } catch (error) {
    forget(require.cache, folder); // half-loaded modules would answer the next call with nonsense
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  } finally {
    if (before === undefined) Reflect.deleteProperty(require.cache, finder);
    else require.cache[finder] = before;
  }
}

function forget(cache: NodeJS.Dict<NodeModule>, folder: string): void {
  for (const path of Object.keys(cache)) if (path.startsWith(join(folder, 'dist'))) Reflect.deleteProperty(cache, path);
}
