import * as tf from '@tensorflow/tfjs-core';
import type { EngineLoader } from '../driver.ts';
import { isNode } from '../host.ts';
import { importOptional } from '../packages.ts';
import { firstLine, Unavailable } from '../unavailable.ts';

/**
 * Makes sure that `backend` is registered with tfjs: it may be already, by an import of the application; else the
 * application's loader brings it, else the installed package.
 */
export async function loadBackend(backend: string, specifier: string, loader: EngineLoader | undefined): Promise<void> {
  if (tf.findBackendFactory(backend) !== null) return;
  await loadModule(specifier, loader);
  if (tf.findBackendFactory(backend) !== null) return;
  throw new Unavailable(`loading it registered no backend named '${backend}'`);
}

/** Imports a package by the application's loader if there is one, else by its name. */
export async function loadModule(specifier: string, loader: EngineLoader | undefined): Promise<unknown> {
  if (loader === undefined) return loadPackage(specifier);
  try {
    return await loader();
  } catch (cause) {
    throw new Unavailable(`the application's loader failed: ${firstLine(cause)}`, { cause });
  }
}

/** Imports a package that the driver cannot do without. */
export async function loadPackage(specifier: string): Promise<Record<string, unknown>> {
  const search = await importOptional(specifier);
  if (search.status === 'found') return search.module;
  if (search.status === 'failed') {
    throw new Unavailable(`${specifier} does not load: ${firstLine(search.reason)}`, { cause: search.reason });
  }
  throw new Unavailable(isNode() ? `${specifier} is not installed` : 'the application has not loaded it');
}
