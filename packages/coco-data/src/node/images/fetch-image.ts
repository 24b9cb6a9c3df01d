import { RcnnError } from '@rcnn/core/errors';

/** Bytes that are taken from an address or a pipe at most: an endless one must end. */
const MAX_BYTES = 256 * 2 ** 20;

/** Seconds without a byte after which an address is given up. */
const STALLED = 30;

/**
 * The bytes of an image at an address, not yet decoded.
 * @throws DOWNLOAD_FAILED, IMAGE_TOO_LARGE (more than 256 MiB)
 */
export async function fetchImage(address: string): Promise<Uint8Array> {
  try {
    return await fetchOnce(address);
  } catch (error) {
    if (!isClosedConnection(error)) throw error;
    return fetchOnce(address);
  }
}

/**
 * A connection is kept for the next image, and its end is not noticed while an image is computed: then the server may
 * have closed it already, and a new one is made.
 */
function isClosedConnection(error: unknown): boolean {
  return error instanceof RcnnError && ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(error.found ?? '');
}

async function fetchOnce(address: string): Promise<Uint8Array> {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), STALLED * 1000);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), STALLED * 1000);
  };
  try {
    const response = await fetch(address, { signal: controller.signal });
    if (!response.ok || response.body === null) throw failed(address, `HTTP ${response.status}`);
    return await imageBytes(response.body as unknown as AsyncIterable<Uint8Array>, address, heard);
  } catch (error) {
    if (error instanceof RcnnError) throw error;
    const stalled = controller.signal.aborted ? `nothing for ${STALLED} s` : undefined;
    throw failed(address, stalled ?? causeOf(error), error);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

/**
 * All bytes of a stream, up to 256 MiB.
 * @param where the stream's name in errors
 * @param heard called for each piece
 * @throws IMAGE_TOO_LARGE
 */
export async function imageBytes(
  stream: AsyncIterable<Uint8Array>,
  where: string,
  heard?: () => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    heard?.();
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) {
      const expected = `at most ${MAX_BYTES / 2 ** 20} MiB`;
      throw new RcnnError('IMAGE_TOO_LARGE', { where, problem: 'there are too many bytes', expected });
    }
  }
  return Buffer.concat(chunks);
}

function failed(where: string, found: string, cause?: unknown): RcnnError {
  return new RcnnError('DOWNLOAD_FAILED', { where, problem: 'the image could not be fetched', found, cause });
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return error instanceof Error ? error.message : String(error);
}
