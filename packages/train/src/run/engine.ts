import { type EngineName, type UseEngineOptions, useEngine } from '@rcnn/core';

/** How engines come in from outside. */
export interface EngineOptions {
  /** How optional engines are imported, where they cannot be found from the current folder. */
  readonly loaders?: UseEngineOptions['loaders'];
  /** Makes an engine of your own the current tfjs backend, instead of one by its name. */
  readonly useEngine?: (() => Promise<{ readonly name: string }>) | undefined;
}

/** Brings up the engine to train on. @throws INVALID_ARGUMENT for a name that is none, ENGINE_MISSING, ENGINE_FAILED */
export function startEngine(
  name: string,
  { loaders, useEngine: own }: EngineOptions,
  threads?: number,
): Promise<{ readonly name: string }> {
  if (own !== undefined) return own();
  return useEngine(name as EngineName | 'auto', {
    task: 'train', // a name that is none is refused there
    ...(threads !== undefined && { threads }),
    ...(loaders && { loaders }),
  });
}
