import { conv } from './convolution/conv.ts';
import { depthwise } from './depthwise/depthwise.ts';
import { elementWise } from './element-wise.ts';
import type { OrtKernel } from './kernel.ts';
import { matMul } from './mat-mul.ts';
import { pooling } from './max-pool.ts';
import { move } from './move.ts';
import { reduce } from './reduce.ts';
import { resize } from './resize.ts';

/** Every kernel that this backend does itself. */
export const kernels: readonly OrtKernel[] = [
  ...conv,
  ...depthwise,
  ...matMul,
  ...elementWise,
  ...reduce,
  ...pooling,
  ...move,
  ...resize,
];
