/** The list of ops, gradients and small networks that every engine must get right; see the README. */

export { BlockStack, type Stage } from './block-stack.ts';
export type { ConformanceCase, ConformanceInput, StoredTensor } from './case.ts';
export { departure, type EngineExpectation, EXPECTATIONS } from './engines.ts';
export { loadCases } from './load.ts';
export { type ConformanceOptions, checkCase } from './run.ts';
