import type { EngineLoader, EngineName } from '@rcnn/core';

/**
 * The engines that come with this program, imported from where it stands: core alone would look in the current folder,
 * and a program that is installed globally is not there.
 */
export const loaders: Readonly<Partial<Record<EngineName, EngineLoader>>> = {
  tensorflow: () => import('@rcnn/tfjs-tensorflow'),
  onnxruntime: () => import('@rcnn/tfjs-backend-onnxruntime'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};
