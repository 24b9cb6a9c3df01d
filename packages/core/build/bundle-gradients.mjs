// tfjs-core registers no gradient by itself, and Node cannot import the one file of it that does (its imports have no
// extensions). So that file is bundled here, once, at build time. Registry and engine are global singletons: the copy
// registers into the very tfjs-core that the application uses.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const core = dirname(require.resolve('@tensorflow/tfjs-core/package.json'));
await build({
  // The copy has a tensor class of its own, and some gradients call its methods (`dy.clone()` in AddN). tfjs installs
  // them in base_side_effects, which drags platforms along; the four of them are all it takes.
  stdin: {
    contents: `
      import { buffer } from './ops/buffer.js';
      import { cast } from './ops/cast.js';
      import { clone } from './ops/clone.js';
      import { print } from './ops/print.js';
      import { setOpHandler } from './tensor.js';
      import './register_all_gradients.js';
      setOpHandler({ buffer, cast, clone, print });`,
    resolveDir: join(core, 'dist'),
  },
  outfile: fileURLToPath(new URL('../generated/register-all-gradients.js', import.meta.url)),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  target: 'es2022',
  legalComments: 'linked',
  minify: true,
  logLevel: 'warning',
});
