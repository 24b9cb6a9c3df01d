import { fileURLToPath } from 'node:url';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
import { addressOf } from '@rcnn/core/address';
import { RcnnError } from '@rcnn/core/errors';
import { fetchExported } from './exported.ts';
import type { Load, LoadOptions } from './load.ts';
import { loadOn } from './load.ts';
import { nodeReader } from './reader-node.ts';
import { weightsFile } from './run-folder.ts';

/** {@link Load} in Node: published names, files, run folders, addresses. */
export const load: Load = loadOn({
  ...nodeReader,
  async fetch(what, { offline, cache }: LoadOptions, received) {
    const { loadPretrained } = await import('@rcnn/checkpoint/node');
    const address = String(what);
    const name = address.startsWith('file:') ? fileURLToPath(address) : address;
    return loadPretrained(weightsFile(name), {
      ...(offline !== undefined && { offline }),
      ...(cache !== undefined && { cache }),
      onEvent: (event: DownloadEvent) => {
        if (event.kind === 'progress' && event.size) received(event.received / event.size);
      },
    });
  },
  async bytes(what, { offline }, received) {
    const address = String(what);
    if (/^https?:/i.test(address)) {
      if (offline === true) throw isOffline(address);
      return fetchExported(addressOf(address, 'load'), received);
    }
    const { openRegular } = await import('@rcnn/files');
    const file = await openRegular(address.startsWith('file:') ? fileURLToPath(address) : address);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  },
});

function isOffline(address: string): RcnnError {
  return new RcnnError('OFFLINE', {
    where: 'load',
    place: address,
    problem: 'exported models are not kept in the cache, and the network may not be used',
    hint: 'Download the file yourself and give its path, or load it once without `offline`.',
  });
}
