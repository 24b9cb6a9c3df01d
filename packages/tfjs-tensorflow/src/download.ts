import { type DownloadOptions, download } from '@rcnn/checkpoint/node';
import { isRcnnError } from '@rcnn/core/errors';
import { failure } from './failures.ts';
import { request, type WheelLink } from './wheel-index.ts';

/** How far a long step has come, in bytes. */
export type ByteProgress = (done: number, total: number | undefined) => void;

/**
 * Downloads a wheel to `path`, where it appears when it is whole and has the index's digest. Since the digest is known, it
 * does not matter to which host the index sends us on.
 * @throws RcnnError DOWNLOAD_FAILED, DIGEST_MISMATCH, DISK_FULL, IO_FAILED
 */
export async function downloadWheel(
  link: WheelLink,
  path: string,
  onProgress: ByteProgress,
  patience: Pick<DownloadOptions, 'attempts' | 'retryDelay'> = {},
): Promise<void> {
  const { url, headers } = request(link.url);
  const onEvent: DownloadOptions['onEvent'] = (event) => {
    if (event.kind === 'progress') onProgress(event.received, event.size);
  };
  try {
    await download(url.href, path, { ...patience, sha256: link.sha256, headers, redirectHosts: 'any', onEvent });
  } catch (error) {
    if (!isRcnnError(error, 'DOWNLOAD_FAILED')) throw error;
    throw failure('DOWNLOAD_FAILED', {
      place: link.filename,
      problem: 'the wheel cannot be downloaded',
      found: error.found ?? error.message,
      hint: 'Run it again, name another index in PIP_INDEX_URL, or pass the wheel with --wheel FILE.',
      cause: error,
    });
  }
}
