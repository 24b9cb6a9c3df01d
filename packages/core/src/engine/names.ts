/** Where the arithmetic can run. */
export type EngineName = 'tensorflow' | 'onnxruntime' | 'webgpu' | 'webgl' | 'wasm' | 'cpu';

/** What an engine is needed for. Training needs gradients, which not every engine has. */
export type EngineTask = 'train' | 'predict';

/** The order in which `auto` tries them in Node: native before anything, plain JavaScript last. */
export const nodeOrder: readonly EngineName[] = ['tensorflow', 'webgpu', 'onnxruntime', 'wasm', 'cpu'];

/** The order in which `auto` tries them in a browser. */
export const browserOrder: readonly EngineName[] = ['webgpu', 'webgl', 'wasm', 'cpu'];

/** Every engine, in the order of the doctor's table. */
export const engineNames: readonly EngineName[] = ['tensorflow', 'onnxruntime', 'webgpu', 'webgl', 'wasm', 'cpu'];

export function isEngineName(name: string): name is EngineName {
  return (engineNames as readonly string[]).includes(name);
}
