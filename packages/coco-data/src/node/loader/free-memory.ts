import { MessageChannel } from 'node:worker_threads';

/** A port that nobody listens at: what is handed over to it is gone. Closed, it keeps no program alive. */
const nowhere = closedPort();

/**
 * Frees the memory of arrays at once; they have no elements afterwards. An array that was freed before, or whose memory
 * is shared, stays as it is.
 */
export function freeMemory(arrays: readonly ArrayBufferView[]): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of arrays) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffers.add(buffer);
  }
  // Handing over is what Node 20 has; `ArrayBuffer.prototype.transfer` came with Node 22.
  nowhere.postMessage(undefined, [...buffers]);
}

function closedPort(): MessageChannel['port1'] {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}
