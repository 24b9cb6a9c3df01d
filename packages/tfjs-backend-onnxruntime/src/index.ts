import './register-on-import.ts';

export { type OnnxRuntimeOptions, OrtBackend } from './backend.ts';
export type { Convolutions } from './convolutions.ts';
export { OnnxRuntimeBackendError, type OnnxRuntimeErrorCode } from './errors.ts';
export { BACKEND_NAME, configure, probe, register } from './register.ts';
export { defaultThreads } from './threads.ts';
