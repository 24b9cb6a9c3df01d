import { isRcnnError, RcnnError } from '@rcnn/core';

/**
 * Does what an engine may refuse, and says it in our terms: of the file where it is the file, of the engine where that is
 * not there.
 * @param where the name of the file
 * @param problem what did not work
 * @throws FILE_MALFORMED, ENGINE_MISSING, and what is an RcnnError already
 */
export async function orSay<T>(where: string, problem: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isRcnnError(cause)) throw cause;
    if (isEngineFault(cause)) throw new RcnnError('ENGINE_MISSING', { where, problem: cause.message, cause });
    const hint = 'The file may be damaged: export the model again.';
    throw new RcnnError('FILE_MALFORMED', { where, problem, found: innermost(cause), hint, cause });
  }
}

/** The library cannot be loaded, or is another one than the backend knows: no file is to blame. */
function isEngineFault(error: unknown): error is Error {
  return (
    error instanceof Error && ['NATIVE_MISSING', 'NATIVE_CHANGED'].includes((error as { code?: string }).code ?? '')
  );
}

/** What the engine itself said, without the words of those who passed it on. */
function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : innermost(error.cause);
}
