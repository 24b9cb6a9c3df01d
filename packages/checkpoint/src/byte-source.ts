import { RcnnError } from '@rcnn/core/errors';

/** Bytes that can be read in pieces: a file, a Blob, memory or a URL. Nothing is read before it is asked for. */
export interface ByteSource {
  /** What errors call it: a path, a URL or a file name. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`, in an array that the caller owns.
   * @param into memory that may be used for them instead of new memory, if it is large enough; the answer says which
   * @throws FILE_TRUNCATED, IO_FAILED
   */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Refuses a range outside of the source, before any memory is taken for it. */
export function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw new RcnnError('FILE_TRUNCATED', {
    where: source.name,
    place: `byte ${offset}`,
    problem: 'the file ends too early',
    found: `${source.size} bytes`,
    expected: `${offset + length} bytes`,
    hint: 'Copy or download it again.',
  });
}

/** A source over memory. Reads are copies, so that nobody changes the original through a tensor. */
export function bytesSource(bytes: ArrayBuffer | Uint8Array, name = 'memory'): ByteSource {
  const all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return {
    name,
    size: all.byteLength,
    read(offset, length) {
      try {
        checkRange({ name, size: all.byteLength }, offset, length);
        return Promise.resolve(new Uint8Array(all.subarray(offset, offset + length))); // slice of a Buffer copies nothing
      } catch (error) {
        return Promise.reject(error as Error);
      }
    },
    close: () => Promise.resolve(),
  };
}

/** A source over a `Blob` or `File`, for instance from `<input type="file">`. */
export function blobSource(blob: Blob, name: string = (blob as { name?: string }).name ?? 'blob'): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      checkRange({ name, size: blob.size }, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
    close: () => Promise.resolve(),
  };
}

export interface UrlSourceOptions {
  /** Default the platform's `fetch`. */
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

/**
 * A source over a URL, by range requests. A server that does not know ranges is read whole, once.
 * @throws DOWNLOAD_FAILED
 */
export async function urlSource(url: string | URL, options: UrlSourceOptions = {}): Promise<ByteSource> {
  const name = String(url);
  const { signal } = options;
  const get = options.fetch ?? fetch;
  const request = async (range: string): Promise<Response> => {
    let response: Response;
    try {
      response = await get(name, { headers: { range }, ...(signal === undefined ? {} : { signal }) });
    } catch (cause) {
      throw new RcnnError('DOWNLOAD_FAILED', { where: name, problem: 'the server cannot be reached', cause });
    }
    if (response.ok || response.status === 416) return response;
    throw new RcnnError('DOWNLOAD_FAILED', {
      where: name,
      problem: 'the server refused',
      found: `HTTP ${response.status}`,
    });
  };
  const first = await request('bytes=0-0');
  const total = /\/(\d+)$/.exec(first.headers.get('content-range') ?? '');
  if (first.status !== 206 || total === null) {
    return bytesSource(first.status === 416 ? new ArrayBuffer(0) : await first.arrayBuffer(), name);
  }
  await first.body?.cancel();
  const size = Number(total[1]);
  return {
    name,
    size,
    async read(offset, length) {
      checkRange({ name, size }, offset, length);
      if (length === 0) return new Uint8Array(0);
      const response = await request(`bytes=${offset}-${offset + length - 1}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status === 206 && bytes.byteLength === length) return bytes;
      throw new RcnnError('DOWNLOAD_FAILED', {
        where: name,
        place: `byte ${offset}`,
        problem: 'the server gave another range than it was asked for',
        found: `HTTP ${response.status}, ${bytes.byteLength} bytes`,
        expected: `HTTP 206, ${length} bytes`,
      });
    },
    close: () => Promise.resolve(),
  };
}
