import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import type { Checkpoint } from '../checkpoint.ts';
import { sha256Of } from '../hashing.ts';
import { hashInName, PUBLISHED, PUBLISHED_URL, publishedWeights } from '../pretrained/catalogue.ts';
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
 * Opens weights by torchvision's name (`maskrcnn_resnet50_fpn`, `resnet50.IMAGENET1K_V2`), by path or by URL.
 * Published files are downloaded once into the user's cache directory and checked against the hash in their name;
 * they come with their profile (norm epsilon, classes, …). Everything that happens is told to `onEvent`. Close it
 * when done.
 * @throws INVALID_ARGUMENT (unknown name), FILE_MISSING, OFFLINE, DOWNLOAD_FAILED, DIGEST_MISMATCH, and what
 *   `loadCheckpoint` throws
 */
export async function loadPretrained(what: string, options: PretrainedOptions = {}): Promise<Pretrained> {
  const published = publishedWeights(what);
  if (published !== undefined && (what !== published.file || !existsSync(what))) {
    const url = new URL(published.file, options.baseUrl ?? PUBLISHED_URL).href;
    const path = await fetchOnce(url, published.file, options);
    return opened(path, published.profile);
  }
  if (/^https?:\/\//.test(what)) {
    const file = basename(new URL(what).pathname) || 'weights';
    // Two addresses may end alike; a hash in the name settles it, else the address does.
    const local =
      hashInName(file) === undefined
        ? `${(await sha256Of([new TextEncoder().encode(what)])).slice(0, 12)}-${file}`
        : file;
    return opened(await fetchOnce(what, local, options), publishedWeights(file)?.profile);
  }
  if (!existsSync(what) && !/[./\\]/.test(what)) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'loadPretrained',
      place: what,
      problem: 'neither a file nor a name of published weights',
      expected: `one of ${[...new Set(PUBLISHED.map(({ name }) => name))].join(', ')}, a path or a URL`,
    });
  }
  return opened(what, await profileOfFile(what, options));
}

async function opened(path: string, profile: WeightsProfile | undefined): Promise<Pretrained> {
  const checkpoint = await loadCheckpoint(path);
  return { ...checkpoint, path, profile: checkpoint.profile ?? profile };
}

/** The file in the cache, downloaded if it is not there. */
async function fetchOnce(url: string, file: string, options: PretrainedOptions): Promise<string> {
  const { offline = false, cache = cacheDirectory(), ...rest } = options;
  const path = join(cache, file);
  if (existsSync(path)) {
    options.onEvent?.({ kind: 'cached', path });
    return path;
  }
  if (offline) {
    throw new RcnnError('OFFLINE', {
      where: 'loadPretrained',
      place: url,
      problem: 'the weights are not in the cache and the network may not be used',
      expected: path,
      hint: 'Download the address above elsewhere and put the file there, or run once without `offline`.',
    });
  }
  const sha256 = hashInName(file);
  await download(url, path, { ...rest, ...(sha256 === undefined ? {} : { sha256 }) });
  return path;
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
