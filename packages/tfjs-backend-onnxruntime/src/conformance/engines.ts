/** What is asked of each tfjs backend. */
export interface EngineExpectation {
  /** Largest difference, relative to the largest magnitude of the tensor. */
  readonly tolerance: number;
  /** Whether it has every gradient. */
  readonly trains: boolean;
  /** Cases in which it is known to depart from PyTorch, and how. */
  readonly departures: Readonly<Record<string, string>>;
}

const POOL_NAN = { 'NaN through maxPool': 'the maximum skips NaN' };
const EMPTY_MEAN = { 'mean of nothing': 'is not NaN' };
const UPSAMPLING = 'the gradient of resizeNearestNeighbor is wrong from the second image of a batch on';
const COARSE_LOG1P = { 'log1p of small numbers': 'is computed as log(1 + x)' };

/** By the name of the tfjs backend. */
export const EXPECTATIONS: Readonly<Record<string, EngineExpectation>> = {
  onnxruntime: { tolerance: 1e-5, trains: true, departures: {} },
  cpu: {
    tolerance: 1e-5,
    trains: true,
    departures: {
      ...POOL_NAN,
      ...EMPTY_MEAN,
      'resizeNearestNeighbor 5x7 to 10x14': UPSAMPLING,
      'resizeNearestNeighbor 5x7 to 8x14': UPSAMPLING,
      'resizeNearestNeighbor 5x7 to 9x13': UPSAMPLING,
      'resizeNearestNeighbor 5x7 to 3x4': UPSAMPLING,
      'network: pyramid with a mask head': UPSAMPLING,
    },
  },
  wasm: {
    tolerance: 1e-5,
    trains: false,
    departures: {
      ...POOL_NAN,
      ...EMPTY_MEAN,
      ...COARSE_LOG1P,
      unsortedSegmentSum: 'has no such kernel',
      'no rows: sum': 'returns what was in memory',
      'no columns: matMul': 'returns what was in memory',
    },
  },
  tensorflow: { tolerance: 1e-5, trains: true, departures: { ...POOL_NAN } },
  webgpu: {
    tolerance: 1e-4,
    trains: true,
    departures: {
      ...POOL_NAN,
      ...COARSE_LOG1P,
      'no rows: sum': 'throws',
      'no images: conv2d': 'throws',
      'mean of nothing': 'throws',
    },
  },
};

/** Why an engine is known to depart in a case; undefined if it must conform. */
export function departure(engine: string, caseName: string): string | undefined {
  return EXPECTATIONS[engine]?.departures[caseName];
}
