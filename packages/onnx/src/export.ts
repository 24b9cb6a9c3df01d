import type { WeightsProfile } from '@rcnn/checkpoint';
import { type Detector, type Parameter, RcnnError } from '@rcnn/core';
import { CompiledDetector } from './compile.ts';
import { describeModel, METADATA_KEY } from './description.ts';
import { writeBoxPart, writeImagePart, writeMaskPart } from './detector/in-parts.ts';
import { type WritableParts, writableParts } from './detector/parts.ts';
import { writeWhole } from './detector/whole.ts';
import { OnnxLayers } from './graph/layers.ts';
import type { Precision } from './graph/precision.ts';
import { OnnxWriter } from './graph/writer.ts';

export interface ExportOptions {
  /** Version of the operators, 16 to 21. Default 17. */
  readonly opset?: number | undefined;
  /** How filters and matrices are stored; arithmetic is float32 always. Default float32. */
  readonly weights?: Precision | undefined;
  /** What the weights' checkpoint says: the names of the classes and where they come from go into the file. */
  readonly profile?: WeightsProfile | undefined;
}

/** RoIAlign says how it samples from 16 on; 21 is the newest that onnxruntime 1.20 reads. */
const OPSETS = { first: 16, usual: 17, last: 21 };

/** Three files in place of one: for programs that choose proposals and detections themselves. */
export interface OnnxParts {
  /** Normalized images to pyramid and RPN outputs. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** Pooled regions to class probabilities and deltas. */
  readonly box: Uint8Array<ArrayBuffer>;
  /** Pooled regions and labels to masks; absent in a detector of boxes. */
  readonly mask?: Uint8Array<ArrayBuffer>;
}

/**
 * A Mask or Faster R-CNN as one ONNX model with everything from the pixels to the masks. Input `image` `[3, H, W]`, RGB
 * in [0, 1], of any size; outputs `boxes` `[D, 4]` in its pixels, `labels` `[D]`, `scores` `[D]` and `masks`
 * `[D, 1, 28, 28]`, best first. Plain onnxruntime runs it.
 * @throws EXPORT_UNSUPPORTED naming the part that ONNX cannot say; NON_FINITE naming a weight
 */
export async function exportOnnx(detector: Detector, options: ExportOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const model = asItIs(detector);
  const parts = writableParts(model);
  return writeFile(model, parts, options, 'whole', (graph, layers) => writeWhole(graph, layers, parts));
}

/** The same network in three models: proposals, RoIAlign, suppression and pasting are left to the caller. */
export async function exportOnnxParts(detector: Detector, options: ExportOptions = {}): Promise<OnnxParts> {
  const model = asItIs(detector);
  const parts = writableParts(model);
  const write = (part: string, writePart: (graph: OnnxWriter, layers: OnnxLayers) => void) =>
    writeFile(model, parts, options, part, writePart);
  const image = await write('image', (graph, layers) => writeImagePart(graph, layers, parts));
  const box = await write('box', (graph, layers) => writeBoxPart(graph, layers, parts));
  const { mask } = parts;
  if (mask === undefined) return { image, box };
  return { image, box, mask: await write('mask', (graph, layers) => writeMaskPart(graph, layers, parts, mask)) };
}

/** Of a compiled model the model. */
function asItIs(detector: Detector): Detector {
  return detector instanceof CompiledDetector ? detector.model : detector;
}

async function writeFile(
  model: Detector,
  parts: WritableParts,
  { opset = OPSETS.usual, weights = 'float32', profile }: ExportOptions,
  part: string,
  write: (graph: OnnxWriter, layers: OnnxLayers) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  checkOpset(opset);
  const graph = new OnnxWriter(opset, weights, namesOf(model));
  try {
    write(graph, new OnnxLayers(graph));
    const description = describeModel(parts, part, profile);
    return await graph.finish({
      name: profile?.architecture ?? 'detector',
      about: `${profile?.architecture ?? 'A detector'}, ${part === 'whole' ? 'whole' : `its ${part} part`}, weights ${weights}`,
      producer: 'mask-rcnn',
      metadata: { [METADATA_KEY]: JSON.stringify(description) },
    });
  } finally {
    graph.dispose();
  }
}

function namesOf(model: Detector): Map<Parameter, string> {
  return new Map([...model.namedParameters()].map(([name, parameter]) => [parameter, name]));
}

function checkOpset(opset: number): void {
  if (Number.isInteger(opset) && opset >= OPSETS.first && opset <= OPSETS.last) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'export',
    place: 'opset',
    problem: 'not an opset that can be written',
    found: String(opset),
    expected: `${OPSETS.first} to ${OPSETS.last}`,
  });
}
