/** What Winograd's way for 3x3 convolutions costs beside the direct one, and what follows for whole models. */
import type { Convolutions } from './convolutions.ts';

/** Pixels of the result that one of Winograd's tiles gives in each direction. */
export const TILE: number = 4;

/**
 * What each way takes for a tile, in cycles of one core, as `bench -- convolutions` sees it: of multiplying, for each pair
 * of an input and an output channel, on all threads; of transforming, for each channel, on one; and for each weight, once
 * for all tiles.
 */
const COST = {
  map: { direct: 8, products: 2.3, channel: 90, weight: 40 },
  filter: { direct: 12, products: 2.3, channel: 110, weight: 60 },
};

export type Pass = keyof typeof COST;

/** Shapes of a convolution: pixels of its result in `n` images, and channels on both sides. */
export interface ConvSize {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** How many times quicker Winograd's way is than the direct one. */
export function winogradGain(threads: number, pass: Pass, size: ConvSize): number {
  const { direct, products, channel, weight } = COST[pass];
  const { inChannels, outChannels } = size;
  const pairs = inChannels * outChannels;
  const tiles = size.n * Math.ceil(size.h / TILE) * Math.ceil(size.w / TILE);
  // What lies beyond the map in tiles at its edges is computed as well; directly it is not.
  const filled = (size.n * size.h * size.w) / (tiles * TILE * TILE);
  const directly = (direct * pairs * filled) / threads;
  return directly / ((products * pairs) / threads + channel * (inChannels + outChannels) + (weight * pairs) / tiles);
}

/** Below so many channels a network spends its time beside its convolutions, where a whole model is quicker. */
const NARROW = 128;
/** What Winograd's way must gain for the rest to be made up for. */
const LEAST_GAIN = 1.3;
/** A map of middle size. */
const MAP = { n: 1, h: 64, w: 64 } as const;

/**
 * Whether a network is quicker as a whole model, which onnxruntime fuses and convolves directly, than by these kernels. Seen
 * on two cores with AVX-512: as a whole model R50-FPN with its 256 channels took 1.4 times the time, and ResNet-18, ResNeXt
 * and MobileNet below the same pyramid 1.3 times; small networks of 64 channels took two thirds to nine tenths of it.
 */
export function modelsAreQuicker(convolutions: Convolutions, threads: number, channels: number): boolean {
  if (convolutions === 'direct' || channels < NARROW) return true;
  const size = { ...MAP, inChannels: channels, outChannels: channels };
  return winogradGain(threads, 'map', size) < LEAST_GAIN;
}
