import { RcnnError } from '@rcnn/core/errors';
import { type Hashing, sha256Of, webHashing } from '../hashing.ts';
import { hashInName } from './catalogue.ts';

/** What an address says of the file behind it. */
export interface StatedDigest {
  /** The first digits of its SHA-256, or all 64; undefined when the address says nothing. */
  readonly sha256: string | undefined;
  /** Whether they stand behind the address, `#sha256=…`, and not in the file's name. */
  readonly given: boolean;
}

/** The digest behind an address (`#sha256=` and 64 digits) or in its file's name. @throws INVALID_ARGUMENT */
export function statedDigest(url: URL): StatedDigest {
  const given = /^#sha256=([\da-f]{64})$/i.exec(url.hash)?.[1]?.toLowerCase();
  if (given !== undefined) return { sha256: given, given: true };
  if (!url.hash.startsWith('#sha256')) return { sha256: hashInName(fileName(url)), given: false };
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'loadPretrained',
    place: url.href,
    problem: 'a bad digest',
    expected: '#sha256= and 64 hexadecimal digits',
  });
}

/** Refuses a file that is not the one that its address states. @throws DIGEST_MISMATCH, INVALID_ARGUMENT */
export async function requireDigest(file: Blob, url: URL, hashing: Hashing = webHashing): Promise<void> {
  const { sha256 } = statedDigest(url);
  if (sha256 === undefined) return;
  const found = await sha256Of([new Uint8Array(await file.arrayBuffer())], hashing);
  if (found.startsWith(sha256)) return;
  throw new RcnnError('DIGEST_MISMATCH', {
    where: url.href,
    problem: 'the file is not the one that its address states',
    found: `SHA-256 ${found.slice(0, sha256.length)}`,
    expected: sha256,
    hint: 'Fetch it again; if that does not help, the server has another file.',
  });
}

function fileName({ pathname }: URL): string {
  return pathname.split('/').at(-1)!;
}
