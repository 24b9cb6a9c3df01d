import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import type { EvaluateOptions, Evaluation } from '../evaluate.ts';
import type { DetectionReading } from '../read/builders.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { parseDetections, parseGroundTruth } from '../read/parse.ts';
import { evaluateWithWorkers, type WorkersOptions } from './workers.ts';

/** Reads a COCO annotation file into columns. @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, and as `parseGroundTruth` */
export function readGroundTruth(path: string): GroundTruth {
  return parseGroundTruth(readBytes(path), path);
}

/** Reads a COCO results file into columns. @throws FILE_MISSING, FILE_REFUSED, IO_FAILED, and as `parseDetections` */
export function readDetections(path: string, truth: GroundTruth, reading: DetectionReading = {}): Detections {
  return parseDetections(readBytes(path), truth, { where: path, ...reading });
}

export interface EvaluateFilesOptions extends EvaluateOptions, DetectionReading, WorkersOptions {}

/** Evaluates a COCO results file against an annotation file. Files are read on this thread; `workers` match. */
export async function evaluateFiles(
  truthPath: string,
  detectionsPath: string,
  options: EvaluateFilesOptions = {},
): Promise<Evaluation> {
  const truth = readGroundTruth(truthPath);
  return evaluateWithWorkers(truth, readDetections(detectionsPath, truth, options), options);
}

/** Bytes read at once: `readSync` takes no more than 2 GiB. */
const PIECE = 2 ** 28;

/** The whole file; unlike `readFileSync` also beyond 2 GiB. Only a file: reading a pipe or a device might never end. */
function readBytes(path: string): Uint8Array {
  try {
    // A pipe would wait for its writer before it could be looked at.
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw notAFile(path, stats);
      const bytes = new Uint8Array(stats.size);
      let length = 0;
      while (length < bytes.length) {
        const read = readSync(file, bytes, length, Math.min(PIECE, bytes.length - length), null);
        if (read === 0) break;
        length += read;
      }
      return bytes.subarray(0, length);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (isRcnnError(cause)) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENXIO') throw notAFile(path); // a socket cannot be opened at all
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new RcnnError(missing ? 'FILE_MISSING' : 'IO_FAILED', {
      where: path,
      problem: missing ? 'there is no such file' : `cannot be read: ${message}`,
      cause,
    });
  }
}

function notAFile(path: string, stats?: Stats): RcnnError {
  const kinds = [
    [stats?.isDirectory(), 'a folder'],
    [stats?.isFIFO(), 'a pipe'],
    [stats?.isCharacterDevice() || stats?.isBlockDevice(), 'a device'],
  ] as const;
  return new RcnnError('FILE_REFUSED', {
    where: path,
    problem: 'this is not a file',
    found: kinds.find(([is]) => is)?.[1] ?? 'a socket',
  });
}
