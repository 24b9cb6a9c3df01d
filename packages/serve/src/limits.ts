import { RcnnError } from '@rcnn/core/errors';

/** How much a server takes on. All have defaults that suit one machine without a GPU. */
export interface Limits {
  /** Requests for detection that are in the house at once, waiting ones included; the next gets 429. Default 32. */
  readonly queue: number;
  /** Images that the model sees at once. Default 8; only images of one size share a batch. */
  readonly maxBatch: number;
  /** Milliseconds that an image waits for others of its size while the model is free. Default 5. */
  readonly maxWait: number;
  /** Seconds after which a request that was not answered gets 503. Default 60. */
  readonly timeout: number;
  /** Bytes of a request at most. Default 32 MiB. */
  readonly maxBytes: number;
  /** Pixels of an image at most, told from its header. Default 64 million. */
  readonly maxPixels: number;
}

export const LIMITS: Limits = {
  queue: 32,
  maxBatch: 8,
  maxWait: 5,
  timeout: 60,
  maxBytes: 32 * 2 ** 20,
  maxPixels: 64_000_000,
};

/** The limits with defaults for those that are not given. @throws INVALID_ARGUMENT */
export function limitsOf(given: { readonly [Name in keyof Limits]?: number | undefined }): Limits {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const limits: Limits = { ...LIMITS, ...set };
  for (const [name, value] of Object.entries(limits)) {
    const most = MOST[name] ?? Number.POSITIVE_INFINITY;
    if ((name === 'maxWait' ? value >= 0 : value > 0) && value <= most) continue;
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'serve',
      place: name,
      problem: value > most ? 'it is longer than a timer can wait' : 'it must be above 0',
      found: String(value),
      ...(value > most && { expected: `at most ${most}` }),
    });
  }
  return limits;
}

/** A timer that is set for longer goes off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;
const MOST: Readonly<Record<string, number>> = { maxWait: LONGEST_TIMER, timeout: Math.floor(LONGEST_TIMER / 1000) };
