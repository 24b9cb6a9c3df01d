import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { importOptional, packageVersion } from '../../src/engine/packages.ts';
import { useEngine } from '../../src/index.ts';

const before = process.cwd();
const program = process.argv[1]!;
let app: string;

beforeEach(() => {
  vi.stubEnv('RCNN_ENGINE', '');
  app = mkdtempSync(join(tmpdir(), 'engine-app-'));
  writeFileSync(join(app, 'program.js'), '');
  process.argv[1] = join(app, 'program.js');
});
afterEach(() => {
  vi.unstubAllEnvs();
  process.chdir(before);
  process.argv[1] = program;
  rmSync(app, { recursive: true, force: true });
});

/** Installs a made-up package into the application, as a strict package manager would: visible to it alone. */
function install(name: string, source: string, version = '9.9.9'): void {
  const folder = join(app, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, main: 'index.cjs' }));
  writeFileSync(join(folder, 'index.cjs'), source);
}

test('a package of the application is found, though this package cannot see it', async () => {
  install('@rcnn/made-up', "exports.answer = 'from the application';");
  expect(await importOptional('@rcnn/made-up')).toMatchObject({
    status: 'found',
    module: { answer: 'from the application' },
  });
  expect(packageVersion('@rcnn/made-up')).toBe('9.9.9');
});

test('a package of the application comes before our own', () => {
  install('@tensorflow/tfjs-backend-wasm', '');
  expect(packageVersion('@tensorflow/tfjs-backend-wasm')).toBe('9.9.9');
  expect(packageVersion('@tensorflow/tfjs-core')).toBe('4.22.0');
});

test("a package of the working folder, which may be a stranger's, is not loaded", async () => {
  install('@rcnn/made-up', "throw new Error('loaded')");
  process.chdir(app);
  process.argv[1] = program;
  expect(await importOptional('@rcnn/made-up')).toEqual({ status: 'missing' });
  expect(packageVersion('@rcnn/made-up')).toBeUndefined();
});

test('a program that is a folder, a link, or in no file at all', async () => {
  install('@rcnn/made-up', 'exports.answer = 1;');
  const found = async (named: string | undefined) => {
    process.argv = [process.argv[0]!, ...(named === undefined ? [] : [named])];
    return (await importOptional('@rcnn/made-up')).status;
  };
  expect(await found(app)).toBe('found');
  const elsewhere = mkdtempSync(join(tmpdir(), 'engine-link-'));
  symlinkSync(join(app, 'program.js'), join(elsewhere, 'link'));
  expect(await found(join(elsewhere, 'link'))).toBe('found');
  rmSync(elsewhere, { recursive: true });
  process.chdir(app);
  expect(await found(undefined)).toBe('found'); // as `node -e` does
});

test('a package that nobody has is missing', async () => {
  expect(await importOptional('@rcnn/nobody-has-this')).toEqual({ status: 'missing' });
  expect(packageVersion('@rcnn/nobody-has-this')).toBeUndefined();
});

test('a package that does not load is not missing: the reason is kept', async () => {
  install('@tensorflow/tfjs-backend-wasm', "throw new Error('GLIBC_2.38 not found');");
  expect(await importOptional('@tensorflow/tfjs-backend-wasm')).toMatchObject({
    status: 'failed',
    reason: { message: 'GLIBC_2.38 not found' },
  });
  await expect(useEngine('wasm')).rejects.toMatchObject({
    code: 'ENGINE_MISSING',
    message: expect.stringContaining('@tensorflow/tfjs-backend-wasm does not load: GLIBC_2.38 not found') as string,
  });
});

test('a package whose own dependency is missing does not count as missing itself', async () => {
  install('@rcnn/needy', "require('something-not-installed');");
  expect(await importOptional('@rcnn/needy')).toMatchObject({ status: 'failed' });
});

test('a tfjs-node that is installed but was never set up is named', async () => {
  install('@tensorflow/tfjs-node', "throw new Error('The Node.js native addon module can not be found');");
  await expect(useEngine('tensorflow')).rejects.toMatchObject({
    code: 'ENGINE_MISSING',
    hint: expect.stringContaining('npx mask-rcnn setup tensorflow') as string,
  });
});
