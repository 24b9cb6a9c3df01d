import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SetupParts } from '../../src/setup.ts';

/** A folder for one test with everything that a setup touches, all of it made up. */
export interface Workshop {
  readonly folder: string;
  /** The application: its node_modules holds a made-up tfjs-node. */
  readonly app: string;
  readonly root: string;
  readonly compiler: string;
}

/** What the made-up compiler writes. */
export const COMPILED = 'compiled\n';

/** Compiles by writing one line, after checking that libraries and headers are where they were said to be. */
const COMPILER = `#!/bin/sh
for argument in "$@"; do
  case "$argument" in
    *.so.2|*.cc) [ -f "$argument" ] || { echo "error: no $argument" >&2; exit 1; } ;;
    -I*include) [ -d "\${argument#-I}" ] || { echo "error: no $argument" >&2; exit 1; } ;;
  esac
  [ "$before" = -o ] && echo compiled > "$argument"
  before="$argument"
done
`;

const SOURCES = ['tfjs_backend.cc', 'tfjs_binding.cc', 'napi_auto_ref.h', 'tf_auto_status.h', 'tf_auto_tensor.h'];
const MORE_SOURCES = ['tfe_auto_op.h', 'tfjs_backend.h', 'utils.h'];

export function makeWorkshop(): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-tensorflow-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const app = join(folder, 'app');
  const compiler = join(folder, 'compiler.sh');
  mkdirSync(app);
  writeFileSync(compiler, COMPILER);
  chmodSync(compiler, 0o755);
  installTfjsNode(app);
  return { folder, app, root: join(folder, 'root'), compiler };
}

/** Puts a made-up tfjs-node into an application: sources to compile, and an index that loads its binding as 4.22 does. */
export function installTfjsNode(app: string, name = '@tensorflow/tfjs-node', version = '4.22.0'): string {
  const folder = join(app, 'node_modules', name);
  mkdirSync(join(folder, 'binding'), { recursive: true });
  mkdirSync(join(folder, 'dist'), { recursive: true });
  const manifest = { name, version, main: 'dist/index.js' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  for (const file of [...SOURCES, ...MORE_SOURCES]) {
    writeFileSync(join(folder, 'binding', file), '#include <node_api.h>\n#include "tensorflow/c/c_api.h"\n');
  }
  writeFileSync(join(folder, 'binding', 'tfe_auto_op.h'), '#include "tensorflow/c/eager/c_api.h"\n');
  writeFileSync(
    join(folder, 'dist', 'index.js'),
    `const { find } = require('@mapbox/node-pre-gyp');
     const path = find(require.resolve('../package.json'));
     const text = require('fs').readFileSync(path, 'utf8');
     if (text !== 'compiled\\n') throw new Error('bad binding: ' + text);
     exports.backend = () => ({ isUsingGpuDevice: false });
     exports.getKernel = () => undefined;
     exports.path = path;
     exports.isNullOrUndefined = require('util').isNullOrUndefined(null);`,
  );
  const finder = join(app, 'node_modules', '@mapbox', 'node-pre-gyp');
  mkdirSync(finder, { recursive: true });
  writeFileSync(join(finder, 'index.js'), "exports.find = () => '/nowhere/tfjs_binding.node';");
  return folder;
}

/** Takes the place of TensorFlow: a binding loads when it is what the compiler wrote. */
export const parts: SetupParts = {
  checkMachine: () => undefined,
  checkLoads: async (_tfjsNode, binding) => {
    if (readFileSync(binding, 'utf8') !== COMPILED) throw new Error('the binding is not what was compiled');
    return { gpu: false };
  },
};
