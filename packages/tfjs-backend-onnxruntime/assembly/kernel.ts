// What onnxruntime has for other layouts only, or not at all, in 128-bit SIMD, channels last. AssemblyScript; built by
// `tools/shared/kernel.mjs`.
export { depthwise, depthwise3, depthwiseFilter, depthwiseFilter3 } from './depthwise';
export { maxPool } from './max-pool';
export { winogradFilter, winogradGather, winogradInput, winogradOutput, winogradSpread } from './winograd';
