import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from './failures.ts';
import { LIBRARIES } from './layout.ts';

/** What one compilation reads and writes. */
export interface Compilation {
  /** The program to call. */
  readonly compiler: string;
  /** Folder of the C++ sources: `binding` of the tfjs-node package. */
  readonly sources: string;
  /** Folder that holds the two libraries and `include`. */
  readonly libraries: string;
  /** The same folder as the finished binding will find it, relative to its own place. */
  readonly rpath: string;
  readonly output: string;
}

/** Part of the key of a binding, so that a change makes a new one. */
export const FLAGS: readonly string[] = ['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8'];

/** The C++ files of the package's binding. The second is compiled as a part of {@link COLLECTIVES}, which includes it. */
export const SOURCES: readonly string[] = ['tfjs_backend.cc', 'tfjs_binding.cc'];

/** Our own C++ file: adds the operations that several processes do together. */
export const COLLECTIVES: string = fileURLToPath(new URL('../binding/collectives.cc', import.meta.url));

/**
 * Finds a C++ compiler: the variable `CXX`, else the usual names on the path.
 * @throws RcnnError SETUP_FAILED
 */
export function findCompiler(): string {
  const candidates = process.env['CXX'] ? [process.env['CXX']] : ['g++', 'clang++', 'c++'];
  const found = candidates.find((name) => programPath(name) !== undefined);
  if (found !== undefined) return found;
  throw failure('SETUP_FAILED', {
    problem: 'there is no C++ compiler',
    found: `none of ${candidates.join(', ')}`,
    expected: 'a C++17 compiler',
    hint: 'Install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++) or name it in CXX. The onnxruntime engine needs none.',
  });
}

/**
 * Compiles the Node-API binding of tfjs-node and links it against TensorFlow's libraries.
 * @throws RcnnError SETUP_FAILED with the first errors of the compiler
 */
export async function compileBinding(compilation: Compilation): Promise<void> {
  const { compiler, output } = compilation;
  const { code, stderr } = await call(compiler, compilerArguments(compilation));
  if (code === 0) return;
  const errors = stderr.split('\n').filter((line) => /error|undefined reference|cannot find/i.test(line));
  throw failure('SETUP_FAILED', {
    place: output,
    problem: `${compiler} cannot compile the binding`,
    found: (errors.length > 0 ? errors : stderr.split('\n')).slice(0, 5).join('\n').trim() || `exit code ${code}`,
    hint: 'A C++17 compiler is needed (GCC 8 or Clang 7, or newer); name another one in CXX.',
  });
}

function compilerArguments({ sources, libraries, rpath, output }: Compilation): string[] {
  const includes = [sources, join(libraries, 'include'), nodeApiHeaders()];
  return [
    ...FLAGS,
    ...includes.map((folder) => `-I${folder}`),
    join(sources, SOURCES[0]!),
    COLLECTIVES,
    ...LIBRARIES.map((name) => join(libraries, name)),
    `-Wl,-rpath,$ORIGIN/${rpath}`,
    '-o',
    output,
  ];
}

/** The only headers of Node that the binding needs. */
function nodeApiHeaders(): string {
  const { include_dir } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  return include_dir;
}

function programPath(name: string): string | undefined {
  const folders = name.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function call(program: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < 1_000_000) stderr += text;
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: -1, stderr: error.message }));
    child.once('close', (code) => resolve({ code, stderr }));
  });
}
