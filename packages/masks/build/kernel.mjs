// Compiles assembly/kernel.ts to WebAssembly and writes it, as base64, into a module: the same bytes then load in Node,
// in a browser and through any bundler, without a file to fetch. The result is committed, so that reading and type
// checking the package need no compiler; a test compares it with a fresh build.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = fileURLToPath(new URL('..', import.meta.url));

/** The kernel's bytes. */
export async function compileKernel() {
  let bytes;
  const options = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '1'];
  const { error, stderr } = await asc.main(
    ['assembly/kernel.ts', '--outFile', 'kernel.wasm', '--baseDir', here, ...options],
    {
      writeFile: (name, contents) => {
        if (name === 'kernel.wasm') bytes = contents;
      },
    },
  );
  if (error) throw new Error(`the kernel does not compile: ${error.message}\n${stderr.toString()}`);
  return bytes;
}

/** The module that holds them. */
export function kernelModule(bytes) {
  const base64 = Buffer.from(bytes).toString('base64');
  return `// Made by build/kernel.mjs from assembly/kernel.ts: ${bytes.length} bytes of WebAssembly.\nexport const kernelBase64: string =\n  '${base64}';\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${here}/src/kernel-bytes.ts`, kernelModule(await compileKernel()));
}
