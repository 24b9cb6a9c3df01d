import { createHash } from 'node:crypto';
import { crc32 as nativeCrc32 } from 'node:zlib';
import type { Hashing } from '../hashing.ts';

/** Node's own checksums: SHA-256 as a stream, CRC-32 in native code. */
export const nodeHashing: Hashing = {
  crc32: (bytes, previous = 0) => nativeCrc32(bytes, previous),
  sha256() {
    const hash = createHash('sha256');
    return {
      update(bytes) {
        hash.update(bytes);
      },
      digest: () => Promise.resolve(hash.digest('hex')),
    };
  },
};
