import { isEngineName, useEngine } from '@rcnn/core';

/** The engine of the tests that run whole networks: RCNN_ENGINE, or onnxruntime, which is always there. */
export async function useFastEngine(): Promise<void> {
  const name = process.env['RCNN_ENGINE'] ?? 'onnxruntime';
  if (!isEngineName(name)) throw new Error(`RCNN_ENGINE is '${name}', which is no engine`);
  await useEngine(name);
}
