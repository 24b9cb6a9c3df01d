import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { expect, test } from 'vitest';

const ONNXRUNTIME = '@rcnn/tfjs-backend-onnxruntime';
const core = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Bundles a program for a server, and runs it where no package is installed. */
async function runBundled(program: string, options: BuildOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bundled-'));
  try {
    const outfile = join(folder, options.format === 'esm' ? 'bundle.mjs' : 'bundle.cjs');
    await build({
      stdin: { contents: program, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
      outfile,
      bundle: true,
      platform: 'node',
      mainFields: ['module', 'main'],
      logLevel: 'error',
      // Packages in CommonJS ask for Node's own modules, which esbuild leaves to the application in a module.
      ...(options.format === 'esm' ? { banner: { js: REQUIRE } } : {}),
      ...options,
    });
    return execFileSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8', env: {} }).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const program = (engine: string): string => `
  import { useEngine } from ${JSON.stringify(core)};
  useEngine('${engine}').then(({ name }) => console.log(name), (error) => console.log(error.code, error.message));
`;

test.each(['cjs', 'esm'] as const)('an engine that was bundled needs no folder of packages: %s', async (format) => {
  expect(await runBundled(program('cpu'), { format })).toBe('cpu');
});

test('one that was not there to be bundled is named as not installed', async () => {
  const said = await runBundled(program('onnxruntime'), { format: 'cjs', external: [ONNXRUNTIME] });
  expect(said).toContain('ENGINE_MISSING');
  expect(said).toContain(`${ONNXRUNTIME} is not installed`);
});

test('one that was bundled and breaks is named as such, with its own reason', async () => {
  const broken = join(mkdtempSync(join(tmpdir(), 'broken-')), 'broken.js');
  writeFileSync(broken, "throw new Error('GLIBC_2.38 not found');");
  const said = await runBundled(program('onnxruntime'), { format: 'cjs', alias: { [ONNXRUNTIME]: broken } });
  rmSync(join(broken, '..'), { recursive: true });
  expect(said).toContain(`${ONNXRUNTIME} does not load: GLIBC_2.38 not found`);
});

test('a bundle for browsers carries no engine of servers', async () => {
  const { metafile } = await build({
    stdin: { contents: program('cpu'), resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    logLevel: 'error',
  });
  const carried = Object.keys(metafile.inputs).filter((file) => /tfjs-backend-/.test(file));
  expect(carried).toEqual([]);
});
