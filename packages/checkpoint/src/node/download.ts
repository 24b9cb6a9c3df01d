import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { fileError } from '@rcnn/files';
import { readChunks } from '../tensor-source.ts';
import { commitFile } from './atomic-write.ts';
import { fileSource } from './file-source.ts';
import { type FileSystem, nodeFileSystem } from './file-system.ts';
import { nodeHashing } from './hashing.ts';
import { claimPart } from './part-file.ts';
import { followedFetch, type RedirectHosts, requireSafeAddress } from './requests.ts';

/** What a download says while it goes on. Sizes in bytes. */
export type DownloadEvent =
  | {
      readonly kind: 'begin';
      readonly url: string;
      readonly path: string;
      readonly from: number;
      readonly size?: number;
    }
  | { readonly kind: 'progress'; readonly url: string; readonly received: number; readonly size?: number }
  | { readonly kind: 'retry'; readonly url: string; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'done'; readonly url: string; readonly path: string; readonly size: number }
  | { readonly kind: 'cached'; readonly path: string }
  | { readonly kind: 'warning'; readonly path: string; readonly message: string };

export interface DownloadOptions {
  /** The first digits of the file's SHA-256. Without them, a broken download of an earlier run is begun again. */
  readonly sha256?: string;
  readonly onEvent?: (event: DownloadEvent) => void;
  readonly signal?: AbortSignal;
  /** How often a connection may break. Default 5. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt; doubled for each further one. Default 500. */
  readonly retryDelay?: number;
  /** Milliseconds without a byte after which a connection counts as broken. Default 60,000. */
  readonly stallTimeout?: number;
  /** Longest file taken, in bytes. Default 8 GiB. */
  readonly maxBytes?: number;
  /** Hosts beside that of the address to which a server may send us on. Default `public` with a whole digest, else none. */
  readonly redirectHosts?: RedirectHosts;
  /** Sent along, to the first host alone where it is a password. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
  readonly fileSystem?: FileSystem;
}

/**
 * Downloads a file to `path`, where it appears only when it is whole and its digest right. A connection that breaks is
 * taken up where it broke (`path.part`), also by a later run.
 * @throws DOWNLOAD_FAILED, DIGEST_MISMATCH, INTERRUPTED, DISK_FULL, IO_FAILED
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  requireSafeAddress(url, options.sha256);
  const { attempts = 5, retryDelay = 500, onEvent = () => undefined, fileSystem = nodeFileSystem } = options;
  await fileSystem.makeDirectory(dirname(path)).catch((error) => {
    throw fileError(dirname(path), 'cannot be made', error);
  });
  const part = await claimPart(path, options.sha256 !== undefined, fileSystem);
  const state: State = { part: part.path, path, url, validator: undefined };
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await receive(state, options);
        break;
      } catch (error) {
        if (!(error instanceof Retry)) throw error;
        if (attempt >= attempts) throw failed(url, `gave up after ${attempts} attempts`, error.message, error.cause);
        onEvent({ kind: 'retry', url, attempt, reason: error.message });
        await pause(retryDelay * 2 ** (attempt - 1), url, options.signal);
      }
    }
    const size = await checkDigest(state, options.sha256, fileSystem);
    await commitFile(part.path, path, { fileSystem });
    onEvent({ kind: 'done', url, path, size });
  } catch (error) {
    // What no later attempt can use is not kept.
    if (!part.lasting || isRcnnError(error, 'BUDGET_EXCEEDED'))
      await removeIfThere(fileSystem, part.path).catch(() => undefined);
    throw error;
  } finally {
    await part.release();
  }
}

const STALL_TIMEOUT = 60_000;
const MAX_BYTES: number = 8 * 2 ** 30;

interface State {
  readonly part: string;
  readonly path: string;
  readonly url: string;
  /** The ETag or date of the first answer, so that two versions of a file are never joined. */
  validator: string | undefined;
}

/** What may go better the next time. */
class Retry extends Error {}

async function receive(state: State, options: DownloadOptions): Promise<void> {
  const { part, path, url } = state;
  const { fileSystem = nodeFileSystem, onEvent = () => undefined } = options;
  const have = await sizeOf(part);
  if (have === 0) await removeIfThere(fileSystem, part); // nothing, or a link that somebody else put there
  const response = await request(state, have, options);
  if (response.status === 416) {
    await response.body?.cancel();
    if (have > 0 && totalOf(response) === have) return; // it was whole already
    await removeIfThere(fileSystem, part);
    throw new Retry(`the server does not have the range from byte ${have}`);
  }
  const start = startOf(response, have);
  if (start === undefined) {
    await response.body?.cancel();
    await removeIfThere(fileSystem, part);
    throw new Retry('the server gave another range than it was asked for');
  }
  if (start === 0) await removeIfThere(fileSystem, part);
  state.validator ??= response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
  const size = totalOf(response);
  onEvent({ kind: 'begin', url, path, from: start, ...(size === undefined ? {} : { size }) });
  const received = await append(response, start, size, state, options);
  if (size !== undefined && received !== size) throw new Retry(`the connection ended at byte ${received} of ${size}`);
}

async function request({ url, validator }: State, have: number, options: DownloadOptions): Promise<Response> {
  const headers: Record<string, string> = { ...options.headers, 'accept-encoding': 'identity' };
  if (have > 0) headers['range'] = `bytes=${have}-`;
  // A weak ETag cannot vouch for ranges.
  if (have > 0 && validator !== undefined && !validator.startsWith('W/')) headers['if-range'] = validator;
  let response: Response;
  try {
    const { signal, sha256, redirectHosts = sha256?.length === 64 ? 'public' : [], fetch: get } = options;
    response = await inTime(followedFetch(url, { headers, signal, redirectHosts, fetch: get }), options);
  } catch (cause) {
    if (options.signal?.aborted) throw interrupted(url, cause);
    if (isRcnnError(cause)) throw cause;
    throw new Retry(`the server cannot be reached (${reasonOf(cause)})`, { cause });
  }
  if (response.ok || response.status === 416) return response;
  await response.body?.cancel();
  if (response.status >= 500 || response.status === 429) throw new Retry(`the server answered HTTP ${response.status}`);
  throw failed(url, 'the server refused', `HTTP ${response.status}`);
}

async function append(
  response: Response,
  start: number,
  size: number | undefined,
  { part, url }: State,
  options: DownloadOptions,
): Promise<number> {
  const { fileSystem = nodeFileSystem, onEvent = () => undefined, signal, maxBytes = MAX_BYTES } = options;
  let received = start;
  if ((size ?? 0) > maxBytes) throw await tooLarge(url, maxBytes, response.body);
  const file = await fileSystem.append(part).catch((error) => {
    throw fileError(part, 'cannot be written', error);
  });
  try {
    const reader = response.body?.getReader();
    for (;;) {
      const next = await (reader && inTime(reader.read(), options))?.catch(async (cause) => {
        await reader?.cancel().catch(() => undefined);
        if (signal?.aborted) throw interrupted(url, cause);
        throw new Retry(`the connection broke at byte ${received} (${reasonOf(cause)})`, { cause });
      });
      if (next === undefined || next.done) return received;
      if (received + next.value.byteLength > maxBytes) throw await tooLarge(url, maxBytes, reader);
      await file.write(next.value).catch((error) => {
        throw fileError(part, 'cannot be written', error);
      });
      received += next.value.byteLength;
      onEvent({ kind: 'progress', url, received, ...(size === undefined ? {} : { size }) });
    }
  } finally {
    await file.close();
  }
}

/** Fails when nothing comes for too long: a server that is silent for ever would hold the program for ever. */
async function inTime<T>(work: Promise<T>, { stallTimeout = STALL_TIMEOUT }: DownloadOptions): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${stallTimeout / 1000} s`)), stallTimeout);
  });
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined); // nobody waits for it any more
  }
}

async function tooLarge(
  url: string,
  maxBytes: number,
  body: { cancel(): Promise<void> } | null | undefined,
): Promise<RcnnError> {
  await body?.cancel().catch(() => undefined);
  return new RcnnError('BUDGET_EXCEEDED', {
    where: url,
    problem: 'the download is larger than allowed',
    expected: `at most ${maxBytes} bytes`,
    hint: 'Is the address right? `maxBytes` allows more.',
  });
}

/** A file with the wrong digest is removed: nothing good can be made of it. Gives its size. */
async function checkDigest({ part, url }: State, sha256: string | undefined, fileSystem: FileSystem): Promise<number> {
  const size = await sizeOf(part);
  if (size === 0) await (await fileSystem.append(part)).close(); // an empty answer is a file too
  if (sha256 === undefined) return size;
  const found = await sha256OfFile(part);
  if (found.startsWith(sha256)) return size;
  await removeIfThere(fileSystem, part);
  throw new RcnnError('DIGEST_MISMATCH', {
    where: url,
    place: `${size} bytes`,
    problem: 'the download is not the file that its name promises',
    found: `SHA-256 ${found.slice(0, Math.max(16, sha256.length))}…`,
    expected: `${sha256}…`,
    hint: 'Nothing was kept. Try again, or look at what stands between you and the server.',
  });
}

/** SHA-256 of a file on disk, in lower-case hexadecimal. @throws FILE_MISSING, IO_FAILED */
export async function sha256OfFile(path: string): Promise<string> {
  const source = await fileSource(path);
  try {
    const hash = nodeHashing.sha256();
    for await (const chunk of readChunks(source, 0, source.size)) hash.update(chunk);
    return await hash.digest();
  } finally {
    await source.close();
  }
}

/** Where the body begins in the file: 0 for a whole answer, `have` for a range, undefined for another range. */
function startOf(response: Response, have: number): number | undefined {
  if (response.status !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  return start !== undefined && Number(start) === have ? have : undefined;
}

function totalOf(response: Response): number | undefined {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const length = response.status === 200 ? response.headers.get('content-length') : null;
  const total = range ?? length;
  return total === null ? undefined : Number(total);
}

/** Of the file itself: what a link leads to is not ours to go on with. */
async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats.size : 0;
  } catch {
    return 0;
  }
}

async function removeIfThere(fileSystem: FileSystem, path: string): Promise<void> {
  await fileSystem.remove(path).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw fileError(path, 'cannot be removed', error);
  });
}

async function pause(milliseconds: number, url: string, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
  if (signal?.aborted) throw interrupted(url, signal.reason);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return String(code ?? message ?? cause);
}

function failed(url: string, problem: string, found: string, cause?: unknown): RcnnError {
  const hint = 'Is the address right, and the network there? A file that you have already can be given by its path.';
  return new RcnnError('DOWNLOAD_FAILED', { where: url, problem, found, hint, cause });
}

function interrupted(url: string, cause: unknown): RcnnError {
  const hint = 'What has come is kept; the next attempt goes on from there.';
  return isRcnnError(cause) ? cause : new RcnnError('INTERRUPTED', { where: url, problem: 'stopped', hint, cause });
}
