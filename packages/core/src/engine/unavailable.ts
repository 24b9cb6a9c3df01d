/** Inside this folder only: why a driver cannot bring its engine up, in one line. Becomes an `RcnnError` at the door. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** The first line of whatever was thrown: native loaders append pages. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0]!.trim();
}
