import type { EngineDriver } from '../driver.ts';
import type { EngineName } from '../names.ts';
import { cpu } from './cpu.ts';
import { onnxruntime } from './onnxruntime.ts';
import { tensorflow } from './tensorflow.ts';
import { wasm } from './wasm.ts';
import { webgl } from './webgl.ts';
import { webgpu } from './webgpu.ts';

export const drivers: Readonly<Record<EngineName, EngineDriver>> = {
  tensorflow,
  onnxruntime,
  webgpu,
  webgl,
  wasm,
  cpu,
};
