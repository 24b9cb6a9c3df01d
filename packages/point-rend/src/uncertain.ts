/** Places of the `count` values that are nearest to 0, where a mask is least sure. Of equal ones the first are taken; NaN last. */
export function mostUncertain(values: Float32Array, count: number): Int32Array {
  const order = Int32Array.from(values, (_, i) => i);
  if (count >= order.length) return order;
  const distance = values.map((value) => (Number.isNaN(value) ? Infinity : Math.abs(value)));
  return order.sort((a, b) => distance[a]! - distance[b]! || a - b).subarray(0, count);
}
