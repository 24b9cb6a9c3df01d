import { closeSync, fstatSync, readSync } from 'node:fs';
import { fileError, openRegularSync } from '@rcnn/files';
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
  const file = openRegularSync(path);
  try {
    const bytes = new Uint8Array(fstatSync(file).size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, Math.min(PIECE, bytes.length - length), null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } catch (cause) {
    throw fileError(path, 'the file cannot be read', cause);
  } finally {
    closeSync(file);
  }
}
