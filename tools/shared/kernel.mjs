// Compiles a package's assembly/kernel.ts to WebAssembly and writes it, as base64, into its src/kernel-bytes.ts: the same
// bytes then load in Node, in a browser and through any bundler, without a file to fetch. The result is committed, so
// that reading and type checking a package need no compiler; its test compares it with a fresh build.
//   node ../../tools/shared/kernel.mjs     in the package's folder
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

/** The bytes of the kernel of the package in a folder. */
export async function compileKernel(folder) {
  let bytes;
  const options = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '1'];
  const { error, stderr } = await asc.main(
    ['assembly/kernel.ts', '--outFile', 'kernel.wasm', '--baseDir', folder, ...options],
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
  return `// Made by tools/shared/kernel.mjs from assembly/kernel.ts: ${bytes.length} bytes of WebAssembly.\nexport const kernelBase64: string =\n  '${base64}';\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync('src/kernel-bytes.ts', kernelModule(await compileKernel(process.cwd())));
}
