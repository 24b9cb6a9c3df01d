/** When a 3x3 convolution is done by Winograd's method and when directly. */
import type { OrtBackend } from '../../../backend.ts';
import { TILE, tilingOf } from './tiles.ts';

/**
 * What each way takes for a tile, in cycles of one core, as `bench -- convolutions` sees it: of multiplying, for each pair
 * of an input and an output channel, on all threads; of transforming, for each channel, on one; and for each weight, once
 * for all tiles.
 */
const COST = {
  map: { direct: 8, products: 2.3, channel: 90, weight: 40 },
  filter: { direct: 12, products: 2.3, channel: 110, weight: 60 },
};

/** Shapes of a convolution: pixels of its result in `n` images, and channels on both sides. */
export interface ConvSize {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

/**
 * Whether to take Winograd's way for a result (`map`) or for the gradient of a filter. By a rule and not by a stopwatch:
 * the two differ in their last bits, and the same training has to give the same bits each time, on a busy machine too.
 */
export function prefersWinograd(backend: OrtBackend, kind: keyof typeof COST, size: ConvSize): boolean {
  if (backend.convolutions !== 'auto') return backend.convolutions === 'winograd';
  const { direct, products, channel, weight } = COST[kind];
  const { inChannels, outChannels } = size;
  const pairs = inChannels * outChannels;
  const { across, rows } = tilingOf(size);
  const tiles = across * rows;
  // What lies beyond the map in tiles at its edges is computed as well; directly it is not.
  const filled = (size.n * size.h * size.w) / (tiles * TILE * TILE);
  const threads = backend.sessions.threads;
  const directly = (direct * pairs * filled) / threads;
  return (products * pairs) / threads + channel * (inChannels + outChannels) + (weight * pairs) / tiles < directly;
}
