import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

export type TfjsNodeName = '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu';

/** An installed tfjs-node or tfjs-node-gpu. */
export interface TfjsNodePackage {
  readonly name: TfjsNodeName;
  readonly version: string;
  /** Folder of its package.json. */
  readonly folder: string;
}

/** Both, the one with a GPU first: whoever installed it wants it. */
export const tfjsNodeNames: readonly TfjsNodeName[] = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * The folder from which tfjs-node is looked for: the variable `RCNN_TFJS_NODE_APP`, else that of the program. The current
 * one, which may be a stranger's, only without a program.
 */
export function defaultApplication(): string {
  const program = process.argv[1];
  return process.env['RCNN_TFJS_NODE_APP'] || (program === undefined ? process.cwd() : dirname(resolve(program)));
}

/** Finds the package as a file in `from` would, else as this package does; `undefined` when it is not installed. */
export function findTfjsNode(name: TfjsNodeName, from: string = defaultApplication()): TfjsNodePackage | undefined {
  for (const require of [createRequire(join(from, 'index.js')), createRequire(import.meta.url)]) {
    try {
      const path = require.resolve(`${name}/package.json`);
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
      return { name, version, folder: dirname(path) };
    } catch {
      // not visible from here
    }
  }
  return undefined;
}

/** `tfjs-node` or `tfjs-node-gpu`. */
export function shortName(name: TfjsNodeName): string {
  return name.slice(name.indexOf('/') + 1);
}

/** Whether the package's own installation has brought a binding; `require` of the package works then by itself. */
export function hasOwnBinding({ folder }: TfjsNodePackage): boolean {
  return existsSync(join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'));
}
