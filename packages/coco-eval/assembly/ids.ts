// From ids that are numbers to their places: a table of `slots` (a power of two) times id (f64) and place (i32, 1 more).

const SLOT: usize = 16;

/** Fills a table, which must be zero, with `count` different ids (f64). */
export function indexIds(ids: usize, count: i32, table: usize, slots: i32): void {
  for (let i = 0; i < count; i++) {
    const id = load<f64>(ids + ((<usize>i) << 3)) + 0; // -0 becomes 0
    const slot = slotOf(id, table, slots);
    store<f64>(slot, id);
    store<i32>(slot, i + 1, 8);
  }
}

/** Writes the place (i32) of each of `count` ids (f64), or -1. Gives how many have none. */
export function findIds(ids: usize, count: i32, table: usize, slots: i32, places: usize): i32 {
  let missing = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const place = load<i32>(slotOf(load<f64>(ids + (i << 3)) + 0, table, slots), 8) - 1;
    store<i32>(places + (i << 2), place);
    missing += <i32>(place < 0);
  }
  return missing;
}

/** The slot of an id, or the free one where it would be. NaN has none of its own, as it equals nothing. */
function slotOf(id: f64, table: usize, slots: i32): usize {
  // The highest bits of the product: small whole numbers differ in the highest bits of their doubles alone, on which none
  // of the product's lower ones depends.
  const product = reinterpret<u64>(id) * 0x9e3779b97f4a7c15;
  let i = <usize>(product >> (64 - ctz<u64>(slots)));
  while (true) {
    const slot = table + i * SLOT;
    if (load<i32>(slot, 8) == 0 || load<f64>(slot) == id) return slot;
    i = (i + 1) & <usize>(slots - 1);
  }
}
