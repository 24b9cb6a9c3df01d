/** Items of a chunk: few enough for a short text, and enough for few writes. */
const PER_CHUNK = 1000;

/**
 * The bytes of `JSON.stringify(items)`, piece by piece: the predictions of a large dataset are longer in all than the
 * longest text that JavaScript can hold.
 */
export function* jsonListChunks(items: readonly unknown[]): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode('[');
  for (let from = 0; from < items.length; from += PER_CHUNK) {
    const texts = items.slice(from, from + PER_CHUNK).map((item) => JSON.stringify(item));
    yield encoder.encode(`${from > 0 ? ',' : ''}${texts.join(',')}`);
  }
  yield encoder.encode(']');
}
