import { type ActiveEngine, type EngineName, useEngine } from '@rcnn/core';

/** The engines of a browser that can train, in words that a bundler understands: each is its own file, loaded if used. */
const loaders = {
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};

export const ENGINES: readonly (EngineName | 'auto')[] = ['auto', 'webgpu', 'webgl', 'cpu'];

/** @throws RcnnError when the engine is missing here or cannot train */
export function openEngine(name: EngineName | 'auto'): Promise<ActiveEngine> {
  return useEngine(name, { task: 'train', loaders });
}
