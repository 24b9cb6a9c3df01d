import { RcnnError } from '@rcnn/core/errors';
import type { openRegular } from '@rcnn/files';
import type { OnnxDetector } from '@rcnn/onnx';

/** Whether weights are a model that `mask-rcnn export` wrote. */
export function isExported(weights: string): boolean {
  return weights.toLowerCase().endsWith('.onnx') && !weights.includes('://');
}

export interface ExportedOptions {
  readonly scoreThreshold?: number | undefined;
  readonly detections?: number | undefined;
  /** Options that the file has fixed, by their names on the command line. */
  readonly fixed?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * An exported model, run by the library of the default engine.
 * @throws FILE_MISSING, FILE_MALFORMED, CHECKPOINT_MISMATCH; INVALID_ARGUMENT for what the file has fixed
 */
export async function openExported(
  file: string,
  { scoreThreshold, detections: detectionsPerImage, fixed = {} }: ExportedOptions = {},
): Promise<OnnxDetector> {
  const given = Object.entries(fixed).find(([, value]) => value !== undefined);
  if (given !== undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: file,
      place: given[0],
      problem: 'an exported model has this fixed',
      hint: `Say ${given[0]} when you export it.`,
    });
  }
  const { openRegular: open } = await import('@rcnn/files');
  const { OnnxDetector: Exported } = await import('@rcnn/onnx');
  const { openOnnxModel } = await import('@rcnn/tfjs-backend-onnxruntime/model');
  const handle = await open(file);
  const bytes = await readAll(handle);
  return Exported.open(bytes, openOnnxModel, { name: file, scoreThreshold, detectionsPerImage });
}

async function readAll(handle: Awaited<ReturnType<typeof openRegular>>): Promise<Uint8Array> {
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
