import { type ActiveEngine, type EngineName, type EngineTask, useEngine } from '@rcnn/core';
import type { EngineFlags } from '../options/engine-options.ts';
import { loaders } from './loaders.ts';

/** Brings an engine up for a command, with the engines that come with this program. @throws as `useEngine` */
export function startEngine({ engine, threads }: EngineFlags, task: EngineTask): Promise<ActiveEngine> {
  return useEngine(engine as EngineName | 'auto', { task, loaders, ...(threads !== undefined && { threads }) });
}
