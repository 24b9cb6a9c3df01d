/**
 * The palette indices of a bitmap in runs (RLE4 or RLE8), one a byte, rows in the order of the file and each a multiple of
 * four bytes, as bitmaps without runs have them. What the runs jump over is index 0.
 * @param bits 4 or 8
 * @returns undefined where the runs end before the picture
 */
export function unpackRuns(runs: Uint8Array, bits: number, height: number, width: number): Uint8Array | undefined {
  const stride = 4 * Math.ceil(width / 4);
  const rows = new Uint8Array(stride * height);
  let [at, x, y] = [0, 0, 0];
  const put = (index: number): void => {
    if (x < width && y < height) rows[y * stride + x] = index;
    x++;
  };
  const nibble = (byte: number, i: number): number => (i % 2 === 0 ? byte >> 4 : byte & 15);
  while (y < height) {
    if (at + 2 > runs.length) return undefined;
    const count = runs[at++]!;
    const value = runs[at++]!;
    if (count > 0) for (let i = 0; i < count; i++) put(bits === 8 ? value : nibble(value, i));
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) break;
    else if (value === 2) {
      if (at + 2 > runs.length) return undefined;
      x += runs[at++]!;
      y += runs[at++]!;
    } else {
      const length = bits === 8 ? value : Math.ceil(value / 2);
      if (at + length > runs.length) return undefined;
      for (let i = 0; i < value; i++) put(bits === 8 ? runs[at + i]! : nibble(runs[at + (i >> 1)]!, i));
      at += length + (length % 2); // padded to two bytes
    }
  }
  return rows;
}
