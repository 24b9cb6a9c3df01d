import { join } from 'node:path';
import { cacheDirectory } from '@rcnn/checkpoint/node';

/**
 * Where things lie. Nothing is written into node_modules, so a reinstall takes nothing away, and one installation
 * serves every project and every Node version (the binding speaks Node-API, which is stable across them).
 *
 *     <root>/libraries/tensorflow-cpu-2.21.0/   libtensorflow_cc.so.2, libtensorflow_framework.so.2, include/, manifest.json
 *     <root>/bindings/<key>/                    tfjs_binding.node, manifest.json
 *     <root>/active/tfjs-node.json              which binding the package of that name uses
 *     <root>/…/.staging-<host>-<pid>-<random>  work in progress: renamed when complete, swept when its process is gone
 */
export interface Layout {
  readonly root: string;
  readonly libraries: string;
  readonly bindings: string;
  readonly active: string;
}

export const MANIFEST = 'manifest.json';
export const BINDING = 'tfjs_binding.node';

/** The two libraries of a wheel that the binding is linked against. */
export const LIBRARIES: readonly string[] = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** What `libraries/<name>` holds, written last: without it the folder does not count. */
export interface LibrariesManifest {
  readonly format: 1;
  /** `tensorflow-cpu` or `tensorflow`. */
  readonly distribution: string;
  readonly version: string;
  /** The two libraries; headers are checked by the compiler. */
  readonly files: Readonly<Record<string, FileRecord>>;
}

/** What `bindings/<key>` holds. */
export interface BindingManifest {
  readonly format: 1;
  /** Name of the folder under `libraries`. */
  readonly libraries: string;
  readonly package: string;
  readonly packageVersion: string;
  readonly file: FileRecord;
}

/** `active/<package>.json`. */
export interface ActiveManifest {
  readonly format: 1;
  /** Name of the folder under `bindings`. */
  readonly binding: string;
}

export interface FileRecord {
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** The folders below `root`; default: the variable `RCNN_TENSORFLOW_DIR`, else the user's cache. */
export function layout(root: string = defaultRoot()): Layout {
  return { root, libraries: join(root, 'libraries'), bindings: join(root, 'bindings'), active: join(root, 'active') };
}

export function defaultRoot(): string {
  return process.env['RCNN_TENSORFLOW_DIR'] || join(cacheDirectory(), 'tensorflow');
}
