export type OnnxRuntimeErrorCode = 'NATIVE_MISSING' | 'NATIVE_CHANGED' | 'BAD_OPTION' | 'GRAPH_FAILED';

/** What went wrong in the onnxruntime backend; `code` is stable, the message says what to try. */
export class OnnxRuntimeBackendError extends Error {
  readonly code: OnnxRuntimeErrorCode;

  constructor(code: OnnxRuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.name = 'OnnxRuntimeBackendError';
    this.code = code;
  }
}
