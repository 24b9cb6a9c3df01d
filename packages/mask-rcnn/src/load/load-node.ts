import { fileURLToPath } from 'node:url';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
import { fetchBlob } from './fetch-blob.ts';
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
  async bytes(what) {
    const address = String(what);
    if (/^https?:/i.test(address)) return new Uint8Array(await (await fetchBlob(address, 'the model')).arrayBuffer());
    const { openRegular } = await import('@rcnn/files');
    const file = await openRegular(address.startsWith('file:') ? fileURLToPath(address) : address);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  },
});
