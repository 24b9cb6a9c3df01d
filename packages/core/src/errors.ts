import { printable, printableLines, shortened } from './printable.ts';

export { counted } from './counted.ts';
export { unpackHint } from './packed.ts';
export { printable, printableLines, quoteName, shortened } from './printable.ts';

/**
 * Every code that an {@link RcnnError} of this project can carry. Codes are stable: programs may switch on them,
 * messages may change.
 */
export type ErrorCode =
  // calls
  | 'INVALID_ARGUMENT' // a value outside what the function takes
  | 'UNKNOWN_OPTION' // an option that does not exist
  | 'SHAPE_MISMATCH' // a tensor or array of another shape
  | 'NON_FINITE' // NaN or infinity where a number is needed
  | 'DISPOSED' // use after dispose
  // engines
  | 'ENGINE_UNKNOWN'
  | 'ENGINE_MISSING' // known, but not installed or not loadable
  | 'ENGINE_CANNOT_TRAIN'
  | 'ENGINE_CANNOT_COMPILE' // does not run whole models
  | 'ENGINE_BROKEN' // loads, but fails its self-check
  | 'SETUP_FAILED'
  // images, targets, masks
  | 'IMAGE_MISSING'
  | 'IMAGE_CORRUPT'
  | 'IMAGE_INVALID' // no pixels, wrong channels, non-finite pixels
  | 'IMAGE_TOO_LARGE'
  | 'IMAGE_TOO_SLOW'
  | 'IMAGE_SIZE_MISMATCH'
  | 'TARGET_INVALID'
  | 'BOX_DEGENERATE'
  | 'LABEL_OUT_OF_RANGE'
  | 'MASK_SIZE_MISMATCH'
  | 'RLE_INVALID'
  | 'POLYGON_INVALID'
  // datasets and evaluation
  | 'DATASET_INVALID'
  | 'DUPLICATE_ID'
  | 'UNKNOWN_ID'
  | 'DETECTION_INVALID'
  // files
  | 'FILE_MISSING'
  | 'FILE_EXISTS'
  | 'FILE_TRUNCATED'
  | 'FILE_MALFORMED'
  | 'FILE_REFUSED' // legal bytes that we will not act on
  | 'PATH_REFUSED' // a path that leaves its folder
  | 'IO_FAILED'
  | 'DISK_FULL'
  | 'LOCKED'
  // checkpoints and downloads
  | 'CHECKPOINT_MISMATCH'
  | 'DIGEST_MISMATCH'
  | 'BUDGET_EXCEEDED'
  | 'DOWNLOAD_FAILED'
  | 'OFFLINE'
  | 'EXPORT_UNSUPPORTED' // a model, or a part of one, that no file of another program can say
  // configuration and running
  | 'CONFIG_INVALID'
  | 'OUT_OF_MEMORY'
  | 'INTERRUPTED'
  // processes that work together
  | 'PEER_LOST' // a process of the group is gone
  | 'PEER_FAILED' // another process of the group failed, and says so; its own error is the cause
  | 'TIMEOUT'; // the others did not come in time

/** What an {@link RcnnError} says. */
export interface ErrorDetails {
  /** The function, file or tensor in which it happened, e.g. `FPN.forward` or `data/train.json`. */
  readonly where: string;
  /** The place inside: a JSON pointer, tensor name, byte offset or line:column. */
  readonly place?: string;
  /** What is wrong, in a few words; the message begins with it. */
  readonly problem: string;
  readonly found?: string;
  readonly expected?: string;
  /** What to try next, as a full sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error type of the project. It says where, what was found, what was expected and what to try:
 * `FPN.forward (level 0): wrong shape; found [1,4,5,8], expected 4 channels. Was this FPN built from …?`
 */
export class RcnnError extends Error {
  override readonly name = 'RcnnError';
  readonly code: ErrorCode;
  readonly where: string;
  readonly place: string | undefined;
  readonly found: string | undefined;
  readonly expected: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(describe(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.where = details.where;
    this.place = details.place;
    this.found = details.found;
    this.expected = details.expected;
    this.hint = details.hint;
  }
}

/** Whether `error` is an {@link RcnnError}, of the given code if one is given. Safe across copies of this package. */
export function isRcnnError(error: unknown, code?: ErrorCode): error is RcnnError {
  if (!(error instanceof Error) || error.name !== 'RcnnError') return false;
  return code === undefined || (error as RcnnError).code === code;
}

/** Longest name, fact and list in a message, in UTF-16 units: a name of megabytes is not read by anybody. */
const LONGEST = { name: 1000, fact: 4000, text: 20_000 };

/** Names of files, classes and tensors stand in these texts: whatever they hold, the message can be printed. */
function describe({ where, place, problem, found, expected, hint }: ErrorDetails): string {
  const name = (text: string): string => printable(shortened(text, LONGEST.name));
  const fact = (text: string): string => printable(shortened(text, LONGEST.fact));
  const lines = (text: string): string => printableLines(shortened(text, LONGEST.text));
  const facts = [
    found === undefined ? undefined : `found ${fact(found)}`,
    expected === undefined ? undefined : `expected ${fact(expected)}`,
  ].filter((part) => part !== undefined);
  const head = `${name(where)}${place === undefined ? '' : ` (${name(place)})`}: ${lines(problem)}`;
  return `${head}${facts.length > 0 ? `; ${facts.join(', ')}` : ''}${/[.?!\n]$/.test(facts.at(-1) ?? problem) ? '' : '.'}${
    hint === undefined ? '' : ` ${lines(hint)}`
  }`;
}

/** An {@link RcnnError} as it goes between threads, which can only send plain values. */
export type ErrorMessage = Pick<RcnnError, 'code' | 'message' | 'where' | 'place' | 'found' | 'expected' | 'hint'>;

/** Every fact of an error, as a plain value. */
export function packError({ code, message, where, place, found, expected, hint }: RcnnError): ErrorMessage {
  return { code, message, where, place, found, expected, hint };
}

/** The error as it was thrown in the other thread, its message put together there. */
export function unpackError(error: ErrorMessage): RcnnError {
  return Object.assign(new RcnnError(error.code, { where: error.where, problem: error.message }), error);
}
