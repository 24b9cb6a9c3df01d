export { type CompileChoice, CompiledDetector, type CompileOptions, compile, compileAs } from './compile.ts';
export { type ModelDescription, readDescription } from './description.ts';
export { type ExportOptions, exportOnnx, exportOnnxParts, type OnnxParts } from './export.ts';
export type { Precision } from './graph/precision.ts';
export { OnnxDetector, type OnnxDetectorOptions } from './onnx-detector.ts';
export { onnxRuntimeWeb, type WebRuntimeLoaders } from './onnx-runtime-web.ts';
export { type WebModelOptions, type WebRuntime, type WebSession, webModels } from './web.ts';
