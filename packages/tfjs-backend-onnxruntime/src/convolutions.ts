import { OnnxRuntimeBackendError } from './errors.ts';

const WAYS = ['auto', 'direct', 'winograd'] as const;

/** How 3x3 convolutions with stride 1 are done; `winograd` wherever it can be done at all. Their last bits differ. */
export type Convolutions = (typeof WAYS)[number];

/** `RCNN_KERNELS` if it is set, else `auto`. */
export function defaultConvolutions(env: NodeJS.ProcessEnv = process.env): Convolutions {
  const wanted = env['RCNN_KERNELS'];
  return wanted === undefined || wanted === '' ? 'auto' : checkConvolutions(wanted, 'RCNN_KERNELS');
}

export function checkConvolutions(way: string, where: string): Convolutions {
  const known = WAYS.find((name) => name === way);
  if (known !== undefined) return known;
  throw new OnnxRuntimeBackendError(
    'BAD_OPTION',
    `${where}: found ${JSON.stringify(way)}, expected ${WAYS.join(', ')}.`,
  );
}
