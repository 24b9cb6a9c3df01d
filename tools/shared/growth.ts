/**
 * The two sizes, 64 times apart: caches and the garbage of large inputs make an honest reader two or three times slower
 * than its own line, which at this distance is 0.2 in the exponent, and a square is 64 times slower.
 */
const SIZES = [1 / 8, 8] as const;

/** The sizes that decide when these two leave a doubt. */
const DOUBT = [8, 32] as const;

/** Rounds at least, and at most while the answer is above the bound. */
const ROUNDS = { least: 2, most: 8 } as const;

/**
 * The exponent with which work grows with the size of its input: 1 is as the input grows, 2 as its square. Work is
 * processor time, of each size the least over several rounds, because whatever else the machine does can only add to it:
 * while the answer is above `bound` it is measured again, which helps work that grows slowly and cannot help other work.
 *
 * A machine that is busy all the time can hold even the least above the bound. What is above it is therefore measured
 * from 8 to 32 as well, and the smaller exponent counts: a square that made the larger input 2.3 times slower than its
 * line grows there with 1.7, and work that was only disturbed grows there as its input does.
 * @param make the input of size n, made before the clock runs; n is 1/8, 8 and perhaps a size of `doubt`, and 1/8 should take some tenths of a millisecond
 * @param doubt other sizes for that, where a limit refuses 32
 */
export async function growth<T>(
  make: (n: number) => T,
  work: (input: T) => unknown,
  bound: number,
  doubt: Pair<number> = DOUBT,
): Promise<number> {
  const inputsOf = ([small, large]: Pair<number>): Pair<T> => [make(small), make(large)];
  const inputs = inputsOf(SIZES);
  await work(inputs[0]); // compiles what is used
  const exponent = await exponentOf(SIZES, inputs, work, bound);
  if (exponent <= bound) return exponent;
  return Math.min(exponent, await exponentOf(doubt, inputsOf(doubt), work, bound));
}

type Pair<T> = readonly [T, T];

async function exponentOf<T>(
  sizes: Pair<number>,
  inputs: Pair<T>,
  work: (input: T) => unknown,
  bound: number,
): Promise<number> {
  const least = [Infinity, Infinity] as [number, number];
  let exponent = Infinity;
  for (let round = 0; round < ROUNDS.most && (round < ROUNDS.least || exponent > bound); round++) {
    for (const [i, input] of inputs.entries()) {
      const begin = process.cpuUsage();
      await work(input);
      const { user, system } = process.cpuUsage(begin);
      least[i] = Math.min(least[i]!, Math.max(1, user + system));
    }
    exponent = Math.log(least[1] / least[0]) / Math.log(sizes[1] / sizes[0]);
  }
  return exponent;
}
