/** Checksums that a platform may do faster than JavaScript. Everything that reads checkpoints takes one. */
export interface Hashing {
  /** CRC-32 (as in zip) of `bytes`, going on from `previous`. */
  crc32(bytes: Uint8Array, previous?: number): number;
  /** Begins a SHA-256. */
  sha256(): Sha256;
}

/** A SHA-256 in the making. */
export interface Sha256 {
  /** Goes on with `bytes`, which must not change before `digest` has its answer. */
  update(bytes: Uint8Array): void;
  /** In lower-case hexadecimal. */
  digest(): Promise<string>;
}

/** Works everywhere: tables for CRC-32, WebCrypto for SHA-256 (which holds the pieces until the end). */
export const webHashing: Hashing = { crc32, sha256 };

/** SHA-256 of some pieces, one after the other, in lower-case hexadecimal. */
export async function sha256Of(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  hashing: Hashing = webHashing,
): Promise<string> {
  const hash = hashing.sha256();
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest();
}

/** Slicing by four: four tables, so that four bytes are taken per step. */
const tables: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const [t0, t1, t2, t3] = [0, 1, 2, 3].map(() => new Uint32Array(256)) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    t0[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    t1[n] = t0[t0[n]! & 0xff]! ^ (t0[n]! >>> 8);
    t2[n] = t0[t1[n]! & 0xff]! ^ (t1[n]! >>> 8);
    t3[n] = t0[t2[n]! & 0xff]! ^ (t2[n]! >>> 8);
  }
  return [t0, t1, t2, t3];
}

function crc32(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3] = tables as unknown as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = ~previous;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!;
  }
  for (; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function sha256(): Sha256 {
  const parts: Uint8Array[] = [];
  return {
    update(bytes) {
      parts.push(bytes);
    },
    async digest() {
      const digest = await crypto.subtle.digest('SHA-256', parts.length === 1 ? own(parts[0]!) : joined(parts));
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    },
  };
}

function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

/** All pieces in one array. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
