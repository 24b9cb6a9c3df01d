/** Fields that hold ids in the records of COCO files. */
const IDS = ['id', 'image_id', 'category_id'] as const;

/**
 * A parsed record with its ids as written: whole numbers that JavaScript would round (time stamps in nanoseconds are such
 * ids) become the text of their digits, for rounded, two of them could become one.
 * @param text what the record was parsed from
 */
export function withExactIds(value: unknown, text: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const record = value as Readonly<Record<string, unknown>>;
  const isRounded = IDS.some((name) => {
    const id = record[name];
    return typeof id === 'number' && !Number.isSafeInteger(id) && Number.isInteger(id);
  });
  if (!isRounded) return value;
  return JSON.parse(text.replaceAll(/("(?:id|image_id|category_id)"\s*:\s*)(-?\d{16,})(?=\s*[,}])/g, '$1"$2"'));
}
