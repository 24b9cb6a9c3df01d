import type { EngineLoader } from './driver.ts';

/** In a browser the application says which backends its bundle carries: by importing them, or as `loaders`. */
export const writtenImports: Readonly<Record<string, EngineLoader>> = {};
