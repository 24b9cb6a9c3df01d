import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { failure, fileFailure } from './failures.ts';
import { get, request, type WheelLink } from './wheel-index.ts';

/** How far a long step has come, in bytes. */
export type ByteProgress = (done: number, total: number | undefined) => void;

/**
 * Downloads a wheel to `path` and checks it against the index's digest.
 * @throws RcnnError OFFLINE, DOWNLOAD_FAILED, DIGEST_MISMATCH, DISK_FULL
 */
export async function downloadWheel(link: WheelLink, path: string, onProgress: ByteProgress): Promise<void> {
  const { url, headers } = request(link.url);
  const response = await get(url, headers);
  const total = Number(response.headers.get('content-length')) || undefined;
  const hash = createHash('sha256');
  let done = 0;
  const file = await open(path, 'wx');
  try {
    for await (const chunk of chunks(response, link)) {
      hash.update(chunk);
      await writeAll(file, chunk);
      done += chunk.length;
      onProgress(done, total);
    }
  } catch (error) {
    throw fileFailure(error, path);
  } finally {
    await file.close();
  }
  const found = hash.digest('hex');
  if (found === link.sha256) return;
  throw failure('DIGEST_MISMATCH', {
    place: link.filename,
    problem: 'the download is not the file that the index promised',
    found: `sha256 ${found} of ${done} bytes`,
    expected: `sha256 ${link.sha256}`,
    hint: 'Run it again; if this stays so, something between here and the index changes files.',
  });
}

async function* chunks(response: Response, link: WheelLink): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body as unknown as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw failure('DOWNLOAD_FAILED', {
      place: link.filename,
      problem: 'the connection broke during the download',
      found: (cause as Error).message,
      hint: 'Run it again.',
      cause,
    });
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let start = 0; start < chunk.length; ) start += (await file.write(chunk, start)).bytesWritten;
}
