const PACKERS: readonly (readonly [program: string, start: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** What to do with a file that another program packed, told by its first bytes; undefined for one that is as it is. */
export function unpackHint(head: Uint8Array): string | undefined {
  const packer = PACKERS.find(([, start]) => start.every((byte, i) => head[i] === byte))?.[0];
  return packer === undefined ? undefined : `It is packed with ${packer}: unpack it first.`;
}
