import { isRcnnError, printable, type RcnnError, shortened } from '@rcnn/core/errors';
import { endStatus, printError } from './print.ts';

/**
 * Does the work on one image.
 * @returns the error that costs this image alone; others are thrown
 */
export async function costsItself(work: () => Promise<void>): Promise<RcnnError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!isRcnnError(error) || isOurs(error.code)) throw error;
    return error;
  }
}

/** Longest name in an error, in UTF-16 units. */
const LONGEST_NAME = 1000;

/** Says what is wrong with an image or video, by its name. */
export function tellFailure(file: string, { code, message }: RcnnError): void {
  endStatus();
  const name = printable(shortened(file, LONGEST_NAME)); // as errors show it
  printError(`error ${code}`, message.includes(name) ? message : `${name}: ${message}`);
}

/** Where nothing can be written, the next image would fare no better. */
function isOurs(code: string): boolean {
  return ['DISK_FULL', 'FILE_EXISTS', 'OUT_OF_MEMORY', 'ENGINE_BROKEN', 'DISPOSED', 'INTERRUPTED'].includes(code);
}
