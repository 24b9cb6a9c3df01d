import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from '../byte-source.ts';
import type { Hashing } from '../hashing.ts';
import { readChunks } from '../tensor-source.ts';

/** The bytes of one storage, somewhere in a file. */
export interface StorageBytes {
  readonly byteLength: number;
  /** Whether numbers in it are big-endian. */
  readonly bigEndian: boolean;
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  chunks(offset: number, length: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A storage of the legacy form, which has no checksums. */
export function plainStorage(source: ByteSource, start: number, byteLength: number): StorageBytes {
  return {
    byteLength,
    bigEndian: false,
    read: (offset, length, into) => source.read(start + offset, length, into),
    chunks: (offset, length) => readChunks(source, start + offset, length),
  };
}

/**
 * A storage with a CRC-32, which is checked once, before or while the first bytes are handed out: a tensor that fills
 * its storage, as nearly all do, is read once; a view makes the whole storage be read once more.
 */
export function checkedStorage(
  source: ByteSource,
  record: { readonly name: string; readonly offset: number; readonly size: number; readonly crc32: number },
  hashing: Hashing,
  bigEndian: boolean,
): StorageBytes {
  let checked = false;
  const compare = (crc32: number): void => {
    if (crc32 !== record.crc32) {
      throw new RcnnError('DIGEST_MISMATCH', {
        where: source.name,
        place: `entry ${quoteName(record.name)}`,
        problem: 'the bytes do not fit their checksum',
        found: `CRC-32 ${hex(crc32)}`,
        expected: hex(record.crc32),
        hint: 'The file is damaged; copy or download it again.',
      });
    }
    checked = true;
  };
  async function* wholeChunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let crc32 = 0;
    for await (const chunk of readChunks(source, record.offset, record.size)) {
      crc32 = hashing.crc32(chunk, crc32);
      yield chunk;
    }
    compare(crc32);
  }
  const check = async (): Promise<void> => {
    if (checked) return;
    let crc32 = 0;
    for await (const chunk of readChunks(source, record.offset, record.size)) crc32 = hashing.crc32(chunk, crc32);
    compare(crc32);
  };
  return {
    byteLength: record.size,
    bigEndian,
    async read(offset, length, into) {
      const whole = offset === 0 && length === record.size;
      if (!whole) await check();
      const bytes = await source.read(record.offset + offset, length, into);
      if (whole && !checked) compare(hashing.crc32(bytes));
      return bytes;
    },
    async *chunks(offset, length) {
      if (offset === 0 && length === record.size && !checked) {
        yield* wholeChunks();
      } else {
        await check();
        yield* readChunks(source, record.offset + offset, length);
      }
    },
  };
}

function hex(crc32: number): string {
  return crc32.toString(16).padStart(8, '0');
}
