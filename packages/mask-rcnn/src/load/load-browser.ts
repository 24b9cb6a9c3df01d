import { blobSource, openCheckpoint, PUBLISHED_URL, publishedWeights, requireDigest } from '@rcnn/checkpoint';
import { addressOf } from '@rcnn/core/address';
import { fetchExported } from './exported.ts';
import { fetchBlob } from './fetch-blob.ts';
import { type Load, loadOn } from './load.ts';
import { browserReader } from './reader-browser.ts';

/** {@link Load} in a browser: addresses, published names, files that a person chose. */
export const load: Load = loadOn({
  ...browserReader,
  async fetch(what, _, received) {
    const named = typeof what === 'string' ? publishedWeights(what) : undefined;
    const url = addressOf(named ? PUBLISHED_URL + named.file : what, 'load', globalThis.location?.href);
    const file = await fetchBlob(url, 'the weights', received);
    await requireDigest(file, url);
    const checkpoint = await openCheckpoint(blobSource(file, url.href));
    const known = named ?? publishedWeights(url.pathname.split('/').at(-1)!);
    return { ...checkpoint, profile: checkpoint.profile ?? known?.profile };
  },
  bytes: async (what, _, received) => fetchExported(addressOf(what, 'load', globalThis.location?.href), received),
});
