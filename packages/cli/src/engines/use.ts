import { type ActiveEngine, type EngineName, type EngineTask, useEngine } from '@rcnn/core';
import { loaders } from './loaders.ts';

/** Brings an engine up for a command, with the engines that come with this program. @throws as `useEngine` */
export function startEngine(name: string, task: EngineTask): Promise<ActiveEngine> {
  return useEngine(name as EngineName | 'auto', { task, loaders });
}
