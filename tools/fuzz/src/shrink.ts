/**
 * A smaller file on which something still holds: pieces are left out as long as it does, large ones first.
 * @param most how often to ask
 */
export async function shrunk(
  file: Uint8Array,
  holds: (smaller: Uint8Array) => Promise<boolean>,
  most = 2000,
): Promise<Uint8Array> {
  let best = file;
  let asked = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && asked < most; ) {
      const smaller = new Uint8Array(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
      asked++;
      if (await holds(smaller)) best = smaller;
      else at += size;
    }
  }
  return best;
}
