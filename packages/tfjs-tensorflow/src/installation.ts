import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  type ActiveManifest,
  BINDING,
  type BindingManifest,
  type FileRecord,
  type Layout,
  type LibrariesManifest,
  MANIFEST,
} from './layout.ts';
import { shortName, type TfjsNodePackage } from './tfjs-node.ts';

/** What `setup` has made for one installed package. */
export interface Installation {
  /** The binding to load. */
  readonly binding: string;
  /** Folder of TensorFlow's libraries. */
  readonly libraries: string;
  /** `tensorflow-cpu`, `tensorflow`. */
  readonly distribution: string;
  /** TensorFlow's. */
  readonly version: string;
}

/**
 * The installation that an installed tfjs-node uses; `undefined` when there is none, when it is incomplete or when it
 * was made for another version of the package. Looks at names and sizes only, so it costs nothing.
 */
export function findInstallation(layout: Layout, tfjsNode: TfjsNodePackage): Installation | undefined {
  const active = readManifest(join(layout.active, `${shortName(tfjsNode.name)}.json`)) as ActiveManifest | undefined;
  if (active === undefined) return undefined;
  const folder = join(layout.bindings, active.binding);
  const made = readBinding(folder);
  if (made?.package !== tfjsNode.name || made.packageVersion !== tfjsNode.version) return undefined;
  const libraries = join(layout.libraries, made.libraries);
  const found = readLibraries(libraries);
  if (found === undefined) return undefined;
  const { distribution, version } = found;
  return { binding: join(folder, BINDING), libraries, distribution, version };
}

/** The manifest of a complete folder of libraries. */
export function readLibraries(folder: string): LibrariesManifest | undefined {
  const manifest = readManifest(join(folder, MANIFEST)) as LibrariesManifest | undefined;
  const complete = Object.entries(manifest?.files ?? {}).every(
    ([name, { size }]) => sizeOf(join(folder, name)) === size,
  );
  return complete ? manifest : undefined;
}

/** The manifest of a complete folder of a binding. */
export function readBinding(folder: string): BindingManifest | undefined {
  const manifest = readManifest(join(folder, MANIFEST)) as BindingManifest | undefined;
  return manifest !== undefined && sizeOf(join(folder, BINDING)) === manifest.file.size ? manifest : undefined;
}

/** Whether the libraries and the binding are still, byte for byte, what was installed. Reads all of them. */
export async function isIntact({ binding, libraries }: Installation): Promise<boolean> {
  const made = readBinding(join(binding, '..'));
  const files = Object.entries(readLibraries(libraries)?.files ?? {});
  if (made === undefined || files.length === 0) return false;
  if (!(await matches(binding, made.file))) return false;
  for (const [name, record] of files) if (!(await matches(join(libraries, name), record))) return false;
  return true;
}

/** Size and digest of a file. */
export async function recordOf(path: string): Promise<FileRecord> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash);
  return { size: statSync(path).size, sha256: hash.digest('hex') };
}

async function matches(path: string, { sha256 }: FileRecord): Promise<boolean> {
  return (await recordOf(path)).sha256 === sha256;
}

function readManifest(path: string): { readonly format: 1 } | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { readonly format: 1 };
    return manifest.format === 1 ? manifest : undefined;
  } catch {
    return undefined; // absent or cut short: as good as not installed
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
