import { RcnnError } from '@rcnn/core';

/**
 * The file at an address, whole, in a browser.
 * @param what what it is, for the error: `the image`
 * @param onReceived told the share that has come, 0 to 1, where the server says how much there is
 * @throws DOWNLOAD_FAILED
 */
export async function fetchBlob(
  where: string | URL,
  what: string,
  onReceived: (share: number) => void = () => undefined,
): Promise<Blob> {
  const name = String(where).slice(0, 200);
  const failed = (found: string, cause?: unknown): RcnnError =>
    new RcnnError('DOWNLOAD_FAILED', {
      where: name,
      problem: `${what} could not be fetched`,
      found,
      hint: 'A file on another site needs its permission (CORS); one beside your page does not.',
      cause,
    });
  try {
    const response = await fetch(where);
    if (!response.ok || response.body === null) throw failed(`HTTP ${response.status}`);
    const size = Number(response.headers.get('content-length') ?? 0);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    const reader = response.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      received += next.value.length;
      if (size > 0) onReceived(Math.min(1, received / size)); // what is sent may be packed, and so smaller
    }
    return new Blob(chunks);
  } catch (error) {
    throw error instanceof RcnnError ? error : failed(error instanceof Error ? error.message : String(error), error);
  }
}
