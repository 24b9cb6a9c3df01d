import { RcnnError } from '@rcnn/core/errors';

/** Codes of TensorFlow's errors (tsl/protobuf/error_codes.proto) that are told apart here. */
export const CODES = { invalidArgument: 3, deadlineExceeded: 4, unavailable: 14 } as const;

/** An error of the binding. */
interface NativeError extends Error {
  readonly tensorflowCode?: number;
}

/** TensorFlow's code; undefined for an error that is not its own. */
export function codeOf(error: unknown): number | undefined {
  return (error as NativeError).tensorflowCode;
}

/** What is known when a meeting fails. */
export interface Circumstances {
  readonly where: string;
  /** Ranks that do not answer any more. */
  readonly gone: readonly number[];
  /** All ranks but this one. */
  readonly others: readonly number[];
  /** Seconds that a meeting may take. */
  readonly timeout: number;
}

/** The typed error of a meeting that failed, naming the rank that is to blame as far as that is known. */
export function meetingFailure(cause: unknown, { where, gone, others, timeout }: Circumstances): RcnnError {
  const code = codeOf(cause);
  const found = shortened((cause as Error).message);
  const [rank] = gone;
  if (rank !== undefined) {
    return new RcnnError('PEER_LOST', {
      where,
      problem: `${inWords(gone)} ${gone.length === 1 ? 'is' : 'are'} gone`,
      found,
      hint: 'Nothing of this step was used: start all ranks again and resume at the last save.',
      cause,
    });
  }
  if (code === CODES.deadlineExceeded) {
    return new RcnnError('TIMEOUT', {
      where,
      problem: `${inWords(others)} did not come within ${timeout} s, though ${others.length === 1 ? 'its process answers' : 'their processes answer'}`,
      found,
      hint: 'It may hang, or be slower than the timeout allows.',
      cause,
    });
  }
  if (code === CODES.invalidArgument) {
    return new RcnnError('SHAPE_MISMATCH', {
      where,
      problem: 'ranks brought different tensors',
      found,
      cause,
    });
  }
  return new RcnnError('PEER_LOST', {
    where,
    problem: `the connection to ${inWords(others)} broke`,
    found,
    hint: 'Nothing of this step was used: start all ranks again and resume at the last save.',
    cause,
  });
}

/** `rank 1`, `ranks 1 and 3`. */
export function inWords(ranks: readonly number[]): string {
  if (ranks.length === 1) return `rank ${ranks[0]}`;
  return `ranks ${ranks.slice(0, -1).join(', ')} and ${ranks.at(-1)}`;
}

/** TensorFlow adds kilobytes of what else it knows. */
function shortened(message: string): string {
  const [first = ''] = message.split('\n');
  return first.length > 300 ? `${first.slice(0, 300)}…` : first;
}
