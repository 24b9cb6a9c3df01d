/**
 * The little that engine choice needs of Node, reached at run time through `process`: this package has no `node:`
 * import, so that browsers and bundlers can take it as it is.
 */
interface NodeProcess {
  readonly versions: { readonly node?: string };
  readonly platform: string;
  readonly env: Record<string, string | undefined>;
  readonly argv: readonly string[];
  cwd(): string;
  getBuiltinModule(name: 'node:module'): { createRequire(from: string): NodeRequire };
  getBuiltinModule(name: 'node:url'): { pathToFileURL(path: string): URL };
  getBuiltinModule(name: 'node:os'): { availableParallelism(): number; homedir(): string };
  getBuiltinModule(name: 'node:fs'): {
    readdirSync(path: string): string[];
    realpathSync(path: string): string;
    statSync(path: string): { isDirectory(): boolean };
  };
  getBuiltinModule(name: 'node:path'): { resolve(path: string): string };
}

/** The `require` of a place in the file system. */
export interface NodeRequire {
  (specifier: string): unknown;
  resolve(specifier: string): string;
}

function nodeProcess(): NodeProcess | undefined {
  const { process } = globalThis as { process?: NodeProcess };
  return process?.versions?.node === undefined ? undefined : process;
}

export function isNode(): boolean {
  return nodeProcess() !== undefined;
}

/** An environment variable; empty counts as unset, and in a browser all are unset. */
export function environment(name: string): string | undefined {
  return nodeProcess()?.env[name] || undefined;
}

/** Sets an environment variable for native libraries that are loaded later. Does nothing in a browser. */
export function setEnvironment(name: string, value: string): void {
  const process = nodeProcess();
  if (process !== undefined) process.env[name] = value;
}

/** Threads that this process may run at once. */
export function availableThreads(): number {
  const process = nodeProcess();
  if (process !== undefined) return process.getBuiltinModule('node:os').availableParallelism();
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/**
 * The `require` of each place where packages are looked for: the program that runs, and this package, unless a bundler has
 * left nothing of where that was. Never the working folder of a program, which may be a stranger's; only without a
 * program (`node -e`) is it all there is, as for Node itself. Empty in a browser.
 */
export function packageRequires(): readonly NodeRequire[] {
  const process = nodeProcess();
  if (process === undefined) return [];
  const { createRequire } = process.getBuiltinModule('node:module');
  const own = ownFile();
  const program = programPlaces(process);
  const places = program.length > 0 ? program : [`${process.cwd()}/`];
  return [...places, ...(own === undefined ? [] : [own])].map((place) => createRequire(place));
}

/** The file of this module, unless a bundler has left nothing of it. */
function ownFile(): string | undefined {
  const url = import.meta.url as string | undefined;
  return url?.startsWith('file:') ? url : undefined;
}

/**
 * The program as it was named and, where that is a link (the folder `.bin`, a global install), as it lies: strict layouts
 * show the application's packages to the one, a program's own to the other. Of a folder, the place inside it.
 */
function programPlaces(process: NodeProcess): readonly string[] {
  const named = process.argv[1];
  if (named === undefined) return [];
  const { realpathSync, statSync } = process.getBuiltinModule('node:fs');
  const { resolve } = process.getBuiltinModule('node:path');
  try {
    const path = resolve(named);
    const inside = statSync(path).isDirectory() ? '/' : '';
    return [...new Set([path, realpathSync(path)])].map((place) => place + inside);
  } catch {
    return []; // a program that is in no file, such as one compiled into its runtime
  }
}

/** The URL under which `import()` takes a file. Node only. */
export function fileUrl(path: string): string {
  const process = nodeProcess();
  return process === undefined ? path : process.getBuiltinModule('node:url').pathToFileURL(path).href;
}

/**
 * Whether a Vulkan driver is announced where the Vulkan loader looks for one. Only Linux is asked: elsewhere the answer
 * is true. Without this look Dawn prints warnings of its own on every machine without a GPU.
 */
export function mayHaveVulkan(): boolean {
  const process = nodeProcess();
  if (process === undefined || process.platform !== 'linux') return true;
  const named = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'];
  if (named.some((name) => environment(name) !== undefined)) return true;
  const home = process.getBuiltinModule('node:os').homedir();
  const folders = [
    environment('XDG_CONFIG_HOME') ?? `${home}/.config`,
    environment('XDG_DATA_HOME') ?? `${home}/.local/share`,
    ...(environment('XDG_CONFIG_DIRS') ?? '/etc/xdg').split(':'),
    ...(environment('XDG_DATA_DIRS') ?? '/usr/local/share:/usr/share').split(':'),
    '/etc',
    '/usr/local/etc',
  ];
  const { readdirSync } = process.getBuiltinModule('node:fs');
  return folders.some((folder) => {
    try {
      return readdirSync(`${folder}/vulkan/icd.d`).length > 0;
    } catch {
      return false; // no such folder
    }
  });
}

/**
 * Whether there may be a GPU for a Vulkan driver to find. Only Linux is asked, by its device files; elsewhere the answer
 * is true. Looking costs nothing, while Dawn and the drivers that it tries print warnings where they find none.
 */
export function mayHaveGpu(): boolean {
  const process = nodeProcess();
  if (process === undefined || process.platform !== 'linux') return true;
  const { readdirSync } = process.getBuiltinModule('node:fs');
  const devices = (folder: string): string[] => {
    try {
      return readdirSync(folder);
    } catch {
      return []; // no such folder
    }
  };
  const names = [...devices('/dev'), ...devices('/dev/dri')];
  return names.some((name) => /^(?:renderD|nvidia\d|kgsl-3d|mali|dxg$)/.test(name));
}
