import type { Random } from './random.ts';

/** How many inputs reach one output (fan-in) and the other way round, as PyTorch counts them. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Draws the values of one tensor: `size` numbers, in our channels-last order. */
export type Initialiser = (size: number, fans: Fans, random: Random) => Float32Array;

function fill(size: number, draw: () => number): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = draw();
  return values;
}

/** Every value the same. */
export const constant =
  (value: number): Initialiser =>
  (size) =>
    new Float32Array(size).fill(value);

/** Normal with mean 0. */
export const normal =
  (deviation: number): Initialiser =>
  (size, _fans, random) =>
    fill(size, () => random.normal(0, deviation));

/** Uniform in [-bound, bound). */
export const uniform =
  (bound: number): Initialiser =>
  (size, _fans, random) =>
    fill(size, () => random.uniform(-bound, bound));

/** Normal with deviation `sqrt(2 / fan)`, for layers followed by ReLU. @see He et al. 2015 (arXiv:1502.01852), eq. 10 */
export const kaimingNormal =
  (fan: keyof Fans = 'fanOut'): Initialiser =>
  (size, fans, random) =>
    normal(Math.sqrt(2 / fans[fan]))(size, fans, random);

/** Uniform within `sqrt(6 / ((1 + a²) · fanIn))`; `a` is the slope of a leaky ReLU. @see He et al. 2015, section 2.2 */
export const kaimingUniform =
  (a = 1): Initialiser =>
  (size, fans, random) =>
    uniform(Math.sqrt(6 / ((1 + a * a) * fans.fanIn)))(size, fans, random);

/** Uniform within `sqrt(6 / (fanIn + fanOut))`. @see Glorot and Bengio 2010, equation 16 */
export const xavierUniform = (): Initialiser => (size, fans, random) =>
  uniform(Math.sqrt(6 / (fans.fanIn + fans.fanOut)))(size, fans, random);

/** Uniform within `1 / sqrt(fanIn)`: what PyTorch gives dense layers and biases unless told otherwise. */
export const fanInUniform = (): Initialiser => (size, fans, random) =>
  uniform(1 / Math.sqrt(fans.fanIn))(size, fans, random);
