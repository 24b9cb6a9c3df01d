import {
  type Detection,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  type Losses,
  type ModelOpener,
  type ModelSession,
  type Parameter,
  RcnnError,
  type SessionTensor,
} from '@rcnn/core';
import { AffinePlacement, boxMask, type FoundMask, type HostImage, readImages } from '@rcnn/detector';
import { type ModelDescription, readDescription } from './description.ts';
import { orSay } from './session-failures.ts';

export interface OnnxDetectorOptions {
  /** What to call the file in errors. Default `model.onnx`. */
  readonly name?: string | undefined;
  /** Detections below it are left out; the file has a threshold of its own, below which it finds none. */
  readonly scoreThreshold?: number | undefined;
  /** Of the file's detections, at most so many of an image. */
  readonly detectionsPerImage?: number | undefined;
}

/**
 * A detector that was exported by `exportOnnx`, for prediction. It has no parameters and cannot learn.
 *
 * ```ts
 * const detector = await OnnxDetector.open(bytes, openOnnxModel);
 * const [found] = await detector.detect([image]);
 * ```
 */
export class OnnxDetector implements Detector {
  readonly description: ModelDescription;
  readonly spec: DetectorSpec;
  /** Undefined once it is disposed. */
  #session: ModelSession | undefined;
  readonly #options: OnnxDetectorOptions;

  /**
   * @param open makes a session of the file; the detector disposes it
   * @throws FILE_MALFORMED, CHECKPOINT_MISMATCH; INVALID_ARGUMENT for a threshold or a number that the file excludes;
   *   ENGINE_MISSING where the library that runs it does not load
   */
  static async open(bytes: Uint8Array, open: ModelOpener, options: OnnxDetectorOptions = {}): Promise<OnnxDetector> {
    const { name = 'model.onnx' } = options;
    const description = readDescription(bytes, name);
    checkWhole(name, description);
    checkLimits(name, description, options);
    const session = await orSay(name, 'the engine cannot read the model', () => open(bytes));
    return new OnnxDetector(session, description, options);
  }

  private constructor(session: ModelSession, description: ModelDescription, options: OnnxDetectorOptions) {
    const { numClasses, finds, input } = description;
    this.#session = session;
    this.#options = options;
    this.description = description;
    this.spec = { numClasses, finds, input, learnsFrom: [], isPredictor: () => false };
  }

  /** @throws FILE_MALFORMED for a model that the engine cannot run; DISPOSED */
  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<Detection[][]> {
    const found: Detection[][] = [];
    for (const image of await readImages('detect', images)) found.push(await this.#detectOne(image, options));
    return found;
  }

  /** @throws EXPORT_UNSUPPORTED always: the weights are constants of the file */
  async losses(): Promise<Losses> {
    throw new RcnnError('EXPORT_UNSUPPORTED', {
      where: 'OnnxDetector.losses',
      problem: 'an exported model cannot learn',
      hint: 'Train from the checkpoint that it was exported from.',
    });
  }

  namedParameters(): Map<string, Parameter> {
    return new Map();
  }

  dispose(): void {
    this.#session?.dispose();
    this.#session = undefined;
  }

  async #detectOne(image: HostImage, options: DetectOptions): Promise<Detection[]> {
    const { size } = image;
    const masked = this.description.finds.includes('masks');
    const names = ['boxes', 'labels', 'scores', ...(masked ? ['masks'] : [])];
    const input = { data: planes(image), dims: [3, ...size] };
    const { name = 'model.onnx' } = this.#options;
    const session = this.#session;
    if (session === undefined) throw new RcnnError('DISPOSED', { where: name, problem: 'the detector was disposed' });
    const run = () => session.run({ image: input }, names);
    const out = await orSay(name, 'the engine cannot run the model on an image', run);
    const { boxes, scores, labels, masks } = requireOutputs(out, masked, name);
    const placement = new AffinePlacement({ originalSize: size, resizedSize: size }); // boxes come in its own pixels
    const objects = {
      boxes,
      scores,
      labels: Int32Array.from(labels, Number),
      ...(masks && { masks: masksOf(masks, scores.length, this.description) }),
    };
    const { scoreThreshold = 0, detectionsPerImage } = this.#options;
    const detections = placement.toImage(objects, options);
    return detections.filter(({ score }) => score >= scoreThreshold).slice(0, detectionsPerImage);
  }
}

/** `[H, W, 3]` as `[3, H, W]`, in [0, 1]. */
function planes({ data, scale, size: [height, width] }: HostImage): Float32Array {
  const cells = height * width;
  const result = new Float32Array(3 * cells);
  for (let i = 0; i < cells; i++) {
    for (let c = 0; c < 3; c++) result[c * cells + i] = data[3 * i + c]! * scale;
  }
  return result;
}

interface Outputs {
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly labels: BigInt64Array;
  readonly masks: SessionTensor | undefined;
}

/** What the graph gave, of the kinds and sizes that go together. @throws FILE_MALFORMED */
function requireOutputs(out: Readonly<Record<string, SessionTensor>>, masked: boolean, where: string): Outputs {
  const { boxes, labels, scores, masks } = out;
  const count = scores?.data.length;
  const fits =
    scores?.data instanceof Float32Array &&
    boxes?.data instanceof Float32Array &&
    labels?.data instanceof BigInt64Array &&
    boxes.data.length === 4 * scores.data.length &&
    labels.data.length === count &&
    (!masked || (masks?.data instanceof Float32Array && masks.dims.length === 4 && masks.dims[0] === count));
  if (fits) return { boxes: boxes.data, scores: scores.data, labels: labels.data, masks: masked ? masks : undefined };
  const shapes = Object.entries(out).flatMap(([name, tensor]) => (tensor ? `${name} [${tensor.dims.join(', ')}]` : []));
  throw new RcnnError('FILE_MALFORMED', {
    where,
    problem: 'the model does not give what its description says',
    found: shapes.join(', ') || 'nothing',
    expected: `boxes [N, 4], labels [N], scores [N]${masked ? ', masks [N, 1, H, W]' : ''}`,
    hint: 'Export the model again.',
  });
}

function masksOf({ data, dims }: SessionTensor, count: number, { maskPaste }: ModelDescription): FoundMask[] {
  const cells = dims[2]! * dims[3]!;
  const values = data as Float32Array;
  return Array.from({ length: count }, (_, i) => boxMask(values.slice(i * cells, (i + 1) * cells), maskPaste));
}

function checkWhole(name: string, { part }: ModelDescription): void {
  if (part === 'whole') return;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: name,
    problem: `this file is the ${part} part of a model alone`,
    expected: 'a whole model, of mask-rcnn export without --three-parts',
  });
}

function checkLimits(
  name: string,
  description: ModelDescription,
  { scoreThreshold, detectionsPerImage }: OnnxDetectorOptions,
): void {
  const refuse = (place: string, found: number, limit: string): RcnnError =>
    new RcnnError('INVALID_ARGUMENT', {
      where: name,
      place,
      problem: 'the exported model was written with another limit',
      found: String(found),
      expected: limit,
      hint: 'Export it again with the limit that you want.',
    });
  if (scoreThreshold !== undefined && scoreThreshold < description.scoreThreshold) {
    throw refuse('scoreThreshold', scoreThreshold, `${description.scoreThreshold} or more`);
  }
  if (detectionsPerImage !== undefined && detectionsPerImage > description.detectionsPerImage) {
    throw refuse('detectionsPerImage', detectionsPerImage, `${description.detectionsPerImage} or less`);
  }
}
