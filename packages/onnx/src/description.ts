import { type ClassEntry, checkProfile, type WeightsProfile } from '@rcnn/checkpoint';
import { type InputSpec, RcnnError, shortened } from '@rcnn/core';
import type { PasteMode } from '@rcnn/masks';
import type { WritableParts } from './detector/parts.ts';
import { readMetadata } from './format/metadata.ts';

/** Under which key of the file's metadata the description is, as JSON. */
export const METADATA_KEY = 'mask-rcnn';

/** What an exported file says of itself. */
export interface ModelDescription {
  readonly version: 1;
  /** `whole`, or which of the three parts: `image`, `box`, `mask`. */
  readonly part: string;
  readonly architecture?: string | undefined;
  readonly source?: string | undefined;
  /** Background included. */
  readonly numClasses: number;
  readonly classes?: readonly ClassEntry[] | undefined;
  readonly finds: readonly ('boxes' | 'masks')[];
  /** How the whole model prepares images; what the image part wants them prepared like. */
  readonly input: InputSpec;
  /** How masks are laid into their boxes. */
  readonly maskPaste?: PasteMode | undefined;
  /** Least score of a detection, and how many there are at most. */
  readonly scoreThreshold: number;
  readonly detectionsPerImage: number;
}

export function describeModel(
  { input, box, mask }: WritableParts,
  part: string,
  profile: WeightsProfile | undefined,
): ModelDescription {
  return {
    version: 1,
    part,
    architecture: profile?.architecture,
    source: profile?.source,
    numClasses: box.rules.numClasses,
    classes: profile?.classes,
    finds: mask === undefined ? ['boxes'] : ['boxes', 'masks'],
    input,
    maskPaste: mask?.paste,
    scoreThreshold: box.rules.scoreThreshold,
    detectionsPerImage: box.rules.limit,
  };
}

/**
 * The description in a file that {@link exportOnnx} wrote.
 * @throws FILE_MALFORMED for what is no ONNX model, and for a description that says something impossible, by the name of
 *   its field; CHECKPOINT_MISMATCH for a model that was not written here
 */
export function readDescription(bytes: Uint8Array, where: string): ModelDescription {
  const text = readMetadata(bytes, where).get(METADATA_KEY);
  const found = text === undefined ? undefined : parse(text, where);
  if (isRecord(found) && found['version'] === 1) return checkDescription(found, where);
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where,
    problem: 'this ONNX model was not written by mask-rcnn export',
    expected: `a description of version 1 in its metadata, under '${METADATA_KEY}'`,
    hint: 'Inputs and outputs of other models may mean anything; run them with onnxruntime itself.',
  });
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', { where, place: METADATA_KEY, problem: 'the description is no JSON', cause });
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** What a description has beside the fields of a profile. */
const OWN: Readonly<Record<string, (value: unknown) => boolean>> = {
  part: (value) => ['whole', 'image', 'box', 'mask'].includes(value as string),
  finds: (value) => ['["boxes"]', '["boxes","masks"]'].includes(JSON.stringify(value)),
  maskPaste: (value) => [undefined, 'torchvision', 'detectron2'].includes(value as PasteMode | undefined),
  scoreThreshold: Number.isFinite,
  detectionsPerImage: (value) => Number.isSafeInteger(value) && Number(value) > 0,
};

/** A description whose every field is what it must be. @throws FILE_MALFORMED */
function checkDescription(found: Fields, where: string): ModelDescription {
  checkProfile({ ...found, source: found['source'] ?? '', options: {} }, where, METADATA_KEY);
  for (const [field, isRight] of Object.entries(OWN)) {
    if (isRight(found[field])) continue;
    throw new RcnnError('FILE_MALFORMED', {
      where,
      place: `${METADATA_KEY}/${field}`,
      problem: 'the description of the model says something impossible',
      found: shortened(JSON.stringify(found[field]) ?? 'nothing', 200),
      hint: 'Export the model again.',
    });
  }
  return found as unknown as ModelDescription;
}
