// Merges COCO's compressed strings. A list of turns holds the positions where a mask changes between background and
// object, u32 and ascending, and ends with a position beyond the mask, so that no loop watches for the end of a list.
// Lists begin at multiples of 8: then bit 2 of the address of a turn tells whether a mask is inside before that turn.

/**
 * Reads the turns of the compressed string of `length` bytes at `text` into the list at `turns`.
 * Gives how many there are; -1 for whatever is malformed, or has numbers of more than 30 bits.
 */
export function readTurns(text: usize, length: i32, pixels: i32, turns: usize): i32 {
  const end = text + <usize>length;
  const third = turns + 8;
  let to = turns;
  let position = 0;
  let before = 0;
  let twoBefore = 0;
  while (text < end) {
    let group = <i32>load<u8>(text++) - 48;
    if (<u32>group > 0x3f) return -1;
    let run = (group << 27) >> 27; // five bits with their sign
    if (group >= 0x20) {
      run = group & 0x1f;
      let shift = 5;
      do {
        if (text >= end || shift > 25) return -1;
        group = <i32>load<u8>(text++) - 48;
        if (<u32>group > 0x3f) return -1;
        run |= (group & 0x1f) << shift;
        shift += 5;
      } while (group >= 0x20);
      if ((group & 0x10) != 0) run |= -1 << shift;
    }
    if (to > third) run += twoBefore; // wraps to a negative number, never to another
    if (<u32>run > <u32>(pixels - position)) return -1; // also when negative
    position += run;
    twoBefore = before;
    before = run;
    store<u32>(to, position);
    to += 4;
  }
  if (position != pixels || to == turns) return -1;
  store<u32>(to - 4, pixels + 1); // the last run ends with the mask, not with a turn
  return (<i32>(to - turns) >> 2) - 1;
}

/**
 * Merges the lists at `a` and `b`, which both end with `never`, into the list at `out`. `union` is 1 for the union and
 * 0 for the intersection. There is no branch on the order of turns, which no processor could foretell. Gives the count.
 */
export function mergeTurns(a: usize, b: usize, never: i32, union: i32, out: usize): i32 {
  const start = out;
  const either: usize = union != 0 ? 4 : 0;
  // Before the other mask begins, a mask is the union, and the intersection is empty. One of the two begins at once.
  const firstA = load<i32>(a);
  const firstB = load<i32>(b);
  let i = a;
  let j = b;
  let to = out;
  for (; load<i32>(i) < firstB; i += 4, to += 4) store<i32>(to, load<i32>(i));
  for (; load<i32>(j) < firstA; j += 4, to += 4) store<i32>(to, load<i32>(j));
  if (union == 0) to = out;
  let inside = to & 4;
  // The turn at hand and the one after it, so that a step does not wait for memory.
  let nowA = load<i32>(i);
  let nextA = load<i32>(i, 4);
  let nowB = load<i32>(j);
  let nextB = load<i32>(j, 4);
  while (nowA != never && nowB != never) {
    const takeA = nowA <= nowB;
    const takeB = nowB <= nowA;
    store<i32>(to, select(nowA, nowB, takeA));
    i += (<usize>takeA) << 2;
    j += (<usize>takeB) << 2;
    nowA = select(nextA, nowA, takeA);
    nowB = select(nextB, nowB, takeB);
    nextA = load<i32>(i, 4);
    nextB = load<i32>(j, 4);
    const now = ((i & j) | ((i | j) & either)) & 4;
    to += now ^ inside;
    inside = now;
  }
  // One has no turns left: the other decides the union where this one is outside, the intersection where it is inside.
  const ended = (nowA == never ? i : j) & 4;
  if (ended != either) {
    for (; load<i32>(i) < never; i += 4, to += 4) store<i32>(to, load<i32>(i));
    for (; load<i32>(j) < never; j += 4, to += 4) store<i32>(to, load<i32>(j));
  }
  store<i32>(to, never);
  return <i32>(to - start) >> 2;
}

/** Writes the `count` runs that end at the positions at `ends` as a compressed string at `out`. Gives its bytes. */
export function writeRuns(ends: usize, count: i32, out: usize): i32 {
  const start = out;
  const end = ends + ((<usize>count) << 2);
  const third = ends + 8;
  let position = 0;
  let before = 0;
  let twoBefore = 0;
  for (; ends < end; ends += 4) {
    const turn = load<i32>(ends);
    const run = turn - position;
    let rest = ends > third ? run - twoBefore : run;
    while (<u32>(rest + 16) > 31) {
      store<u8>(out++, (rest & 0x1f) + 0x20 + 48); // the low five bits, also of a negative number; more follow
      rest >>= 5;
    }
    store<u8>(out++, (rest & 0x1f) + 48);
    position = turn;
    twoBefore = before;
    before = run;
  }
  return <i32>(out - start);
}
