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
  entryPoints: [join(core, 'dist', 'register_all_gradients.js')],
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
