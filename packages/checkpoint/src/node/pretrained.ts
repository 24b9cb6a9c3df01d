import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { addressOf } from '@rcnn/core/address';
import { RcnnError } from '@rcnn/core/errors';
import type { Checkpoint } from '../checkpoint.ts';
import { sha256Of } from '../hashing.ts';
import { hashInName, PUBLISHED, PUBLISHED_URL, publishedWeights } from '../pretrained/catalogue.ts';
import { statedDigest } from '../pretrained/stated-digest.ts';
import type { WeightsProfile } from '../profile.ts';
import { cacheDirectory } from './cache-directory.ts';
import { loadCheckpoint } from './checkpoint-files.ts';
import { type DownloadOptions, download, sha256OfFile } from './download.ts';

export interface PretrainedOptions extends Omit<DownloadOptions, 'sha256'> {
  /** Never use the network: take files and what the cache has. Default false. */
  readonly offline?: boolean;
  /** Default {@link cacheDirectory}. */
  readonly cache?: string;
  /** Where published files are looked for, with a slash at the end; a mirror of yours. Default torchvision's. */
  readonly baseUrl?: string;
}

/** An open checkpoint, and where it lies. */
export interface Pretrained extends Checkpoint {
  readonly path: string;
}

/**
 * Opens weights by torchvision's name (`maskrcnn_resnet50_fpn`, `resnet50.IMAGENET1K_V2`), by path or by URL (with `#sha256=` and 64 digits behind
 * it, also checked). Published files are downloaded once into the user's cache directory and checked against the hash in their name each time;
 * they come with their profile (norm epsilon, classes, …). Everything that happens is told to `onEvent`. Close it
 * when done.
 * @throws INVALID_ARGUMENT (unknown name), FILE_MISSING, OFFLINE, DOWNLOAD_FAILED, DIGEST_MISMATCH, and what
 *   `loadCheckpoint` throws
 */
export async function loadPretrained(what: string, options: PretrainedOptions = {}): Promise<Pretrained> {
  const published = publishedWeights(what);
  if (published !== undefined && (what !== published.file || !existsSync(what))) {
    const url = addressOf(published.file, 'loadPretrained', options.baseUrl ?? PUBLISHED_URL).href;
    return openCached({ url, file: published.file, sha256: hashInName(published.file) }, published.profile, options);
  }
  if (/^https?:\/\//i.test(what)) {
    const address = await remoteFile(what);
    return openCached(address, publishedWeights(basename(new URL(address.url).pathname))?.profile, options);
  }
  if (!existsSync(what) && !/[./\\]/.test(what)) {
    const names = [...new Set(PUBLISHED.map(({ name }) => name))];
    const meant = names.find((name) => name.startsWith(what.toLowerCase()) || what.toLowerCase().startsWith(name));
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'loadPretrained',
      place: what,
      problem: 'neither a file nor a name of published weights',
      expected: `one of ${names.join(', ')}, a path or a URL`,
      ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
    });
  }
  return opened(what, await profileOfFile(what, options));
}

async function opened(path: string, profile: WeightsProfile | undefined): Promise<Pretrained> {
  const checkpoint = await loadCheckpoint(path);
  return { ...checkpoint, path, profile: checkpoint.profile ?? profile };
}

/** A file that lies elsewhere, and what it is called in the cache. */
interface RemoteFile {
  readonly url: string;
  readonly file: string;
  /** Its first digits, if they are known. */
  readonly sha256: string | undefined;
}

/** An address, with its digest where one stands behind it (`#sha256=…`) or in the file's name. */
async function remoteFile(what: string): Promise<RemoteFile> {
  const url = addressOf(what, 'loadPretrained');
  const { sha256, given } = statedDigest(url);
  url.hash = '';
  const name = basename(url.pathname) || 'weights';
  // Two addresses may end alike; a digest settles it, else the address does.
  if (given) return { url: url.href, file: `${sha256!.slice(0, 12)}-${name}`, sha256 };
  if (sha256 !== undefined) return { url: url.href, file: name, sha256 };
  const address = await sha256Of([new TextEncoder().encode(url.href)]);
  return { url: url.href, file: `${address.slice(0, 12)}-${name}`, sha256: undefined };
}

/** Opens a file of the cache, downloaded if it is not there or not what it should be. */
async function openCached(
  remote: RemoteFile,
  profile: WeightsProfile | undefined,
  options: PretrainedOptions,
): Promise<Pretrained> {
  const path = join(options.cache ?? cacheDirectory(), remote.file);
  if (await isUsable(path, remote, options)) {
    options.onEvent?.({ kind: 'cached', path });
  } else {
    await fetchInto(path, remote, options);
  }
  try {
    return await opened(path, profile);
  } catch (error) {
    // Without a digest, an error page looks like any other answer: not kept, so that the next call asks again.
    if (remote.sha256 === undefined) await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Whether a file of the cache can be taken: anybody may have put it there under that name. A bad one is removed. */
async function isUsable(
  path: string,
  { sha256 }: RemoteFile,
  { onEvent, offline }: PretrainedOptions,
): Promise<boolean> {
  if (!existsSync(path)) return false;
  const right = sha256 === undefined ? await opens(path) : (await sha256OfFile(path)).startsWith(sha256);
  if (right) return true;
  if (offline === true) {
    throw new RcnnError('DIGEST_MISMATCH', {
      where: path,
      problem: 'the file in the cache is not the one that it should be, and the network may not be used',
      expected: sha256 === undefined ? 'a checkpoint' : `SHA-256 ${sha256}…`,
      hint: 'Remove it and run once without --offline (`offline` in TypeScript).',
    });
  }
  onEvent?.({ kind: 'warning', path, message: 'not the file that it should be; it is fetched anew' });
  await rm(path, { force: true });
  return false;
}

async function opens(path: string): Promise<boolean> {
  try {
    await (await loadCheckpoint(path)).close();
    return true;
  } catch {
    return false;
  }
}

async function fetchInto(path: string, { url, sha256 }: RemoteFile, options: PretrainedOptions): Promise<void> {
  const { offline = false, cache: _, baseUrl: __, ...rest } = options;
  if (offline) {
    throw new RcnnError('OFFLINE', {
      where: 'loadPretrained',
      place: url,
      problem: 'the weights are not in the cache and the network may not be used',
      expected: path,
      hint: 'Download the address above elsewhere and put the file there, or run once without --offline (`offline` in TypeScript).',
    });
  }
  await download(url, path, { ...rest, ...(sha256 === undefined ? {} : { sha256 }) });
  if (sha256 === undefined) {
    const message = `nothing said which file this should be; to be sure the next time: ${url}#sha256=${await sha256OfFile(path)}`;
    options.onEvent?.({ kind: 'warning', path, message });
  }
}

/** A file that is called like a published one has its profile if it also has its digest. */
async function profileOfFile(path: string, { onEvent }: PretrainedOptions): Promise<WeightsProfile | undefined> {
  const published = publishedWeights(basename(path));
  const hash = hashInName(basename(path));
  if (published === undefined || hash === undefined || published.file !== basename(path)) return undefined;
  if ((await sha256OfFile(path)).startsWith(hash)) return published.profile;
  onEvent?.({
    kind: 'warning',
    path,
    message: `called like torchvision's file, but its SHA-256 does not begin with ${hash}`,
  });
  return undefined;
}
