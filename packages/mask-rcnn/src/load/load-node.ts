import { fileURLToPath } from 'node:url';
import type { DownloadEvent } from '@rcnn/checkpoint/node';
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
});
