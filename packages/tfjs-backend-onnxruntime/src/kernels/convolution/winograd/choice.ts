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
  return winogradGain(backend.sessions.threads, kind, size) > 1;
}

/** How many times quicker Winograd's way is than the direct one. */
function winogradGain(threads: number, kind: keyof typeof COST, size: ConvSize): number {
  const { direct, products, channel, weight } = COST[kind];
  const { inChannels, outChannels } = size;
  const pairs = inChannels * outChannels;
  const { across, rows } = tilingOf(size);
  const tiles = across * rows;
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
 * on two cores with AVX-512: R50-FPN with 256 channels took 1.4 times as long as a whole model, ResNet-18, ResNeXt and MobileNet
 * below the same pyramid 1.3 times; small networks of 64 channels took two thirds of the time.
 */
export function modelsAreQuicker(backend: OrtBackend, channels: number): boolean {
  if (backend.convolutions === 'direct' || channels < NARROW) return true;
  const size = { ...MAP, inChannels: channels, outChannels: channels };
  return winogradGain(backend.sessions.threads, 'map', size) < LEAST_GAIN;
}
