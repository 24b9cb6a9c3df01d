/**
 * How much work something is, in a unit that every processor shares: its processor time over that of a fixed piece of
 * JavaScript on the same machine. A busy or slow machine changes neither side of the ratio by much, so a test may bound
 * it where a bound in seconds would fail on a slower machine.
 */
export async function effort<T>(body: () => T | Promise<T>): Promise<{ readonly spent: number; readonly result: T }> {
  const one = effortUnit();
  const begin = process.cpuUsage();
  const result = await body();
  return { spent: microseconds(process.cpuUsage(begin)) / one, result };
}

let unit: number | undefined;

/** Microseconds of this processor that count as an effort of 1: about 200,000 on one of 2020. Measured once a process. */
export function effortUnit(): number {
  unit ??= measuredUnit();
  return unit;
}

function measuredUnit(): number {
  yardstick(); // compiles it
  const start = process.cpuUsage();
  yardstick();
  return microseconds(process.cpuUsage(start));
}

function microseconds({ user, system }: NodeJS.CpuUsage): number {
  return user + system;
}

/** Mixing whole numbers, building and sorting small objects. */
function yardstick(): number {
  let x = 1;
  let sum = 0;
  for (let i = 0; i < 20_000_000; i++) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
    sum += x & 7;
  }
  const list = Array.from({ length: 100_000 }, (_, i) => ({ key: `k${Math.imul(i, 0x9e3779b9) >>> 0}` }));
  list.sort((a, b) => (a.key < b.key ? -1 : 1));
  return sum + list.length;
}
