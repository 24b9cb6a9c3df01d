export { type ErrorCode, type ErrorDetails, isRcnnError, RcnnError } from './errors.ts';
export * from './module.ts';
export * from './parameter.ts';
export * from './random.ts';
export type * from './types.ts';
