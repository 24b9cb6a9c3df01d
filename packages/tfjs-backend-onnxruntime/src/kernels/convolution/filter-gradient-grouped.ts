/** The gradient of a grouped convolution by its filter: the groups side by side, as many products of matrices. */
import type { OrtBackend } from '../../backend.ts';
import type { Maps } from '../layout.ts';
import type { ConvInfo } from './conv-info.ts';
import { asProductsOfParts } from './filter-gradient-products.ts';

/** Channels that a product should have: narrower ones take as long, and of wider ones most is for nothing. */
const WIDE = 16;

/** Writes the gradient to `dw`, `[filterHeight, filterWidth, inChannels / groups, outChannels]`. */
export function writeGroupedGradient(
  backend: OrtBackend,
  info: ConvInfo,
  groups: number,
  x: Maps,
  dy: Maps,
  dw: Float32Array,
): void {
  const [ins, outs] = [x.c / groups, dy.c / groups];
  const together = neighbours(groups, Math.max(ins, outs));
  const parts = groups / together;
  const taps = info.filterHeight * info.filterWidth;
  backend.scratch(taps * parts * together * ins * together * outs, (products) => {
    asProductsOfParts(backend, info, x, dy, parts, products);
    let from = 0; // a row of `products`: what one channel in is to all channels out of its part
    for (let tap = 0; tap < taps; tap++) {
      for (let group = 0; group < groups; group++) {
        for (let i = 0; i < ins; i++, from += together * outs) {
          const own = from + (group % together) * outs;
          dw.set(products.subarray(own, own + outs), (tap * ins + i) * dy.c + group * outs);
        }
      }
    }
  });
}

/** So many groups, a divisor of them, as have no more than {@link WIDE} channels. */
function neighbours(groups: number, channels: number): number {
  let most = 1;
  for (let count = 2; count <= groups; count++) {
    if (groups % count === 0 && count * channels <= WIDE) most = count;
  }
  return most;
}
