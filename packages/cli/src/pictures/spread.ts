/** At most `limit` places in a row of `length`, spread over it evenly: the first ones alone may all be of one kind. */
export function spread(length: number, limit: number): number[] {
  const count = Math.min(limit, length);
  return Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}
