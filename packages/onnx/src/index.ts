export { type ModelDescription, readDescription } from './description.ts';
export { type ExportOptions, exportOnnx, exportOnnxParts, type OnnxParts } from './export.ts';
export type { Precision } from './graph/precision.ts';
export { type ModelSession, OnnxDetector, type OnnxDetectorOptions, type SessionTensor } from './onnx-detector.ts';
