import type { ClassEntry, WeightsProfile } from '@rcnn/checkpoint';
import { type InputSpec, RcnnError } from '@rcnn/core';
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
 * @throws FILE_MALFORMED for what is no ONNX model; CHECKPOINT_MISMATCH for one that was not written here
 */
export function readDescription(bytes: Uint8Array, where: string): ModelDescription {
  const text = readMetadata(bytes, where).get(METADATA_KEY);
  const found = text === undefined ? undefined : parse(text, where);
  if (found?.version === 1) return found;
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where,
    problem: 'this ONNX model was not written by mask-rcnn export',
    expected: `a description of version 1 in its metadata, under '${METADATA_KEY}'`,
    hint: 'Inputs and outputs of other models may mean anything; run them with onnxruntime itself.',
  });
}

function parse(text: string, where: string): ModelDescription {
  try {
    return JSON.parse(text) as ModelDescription;
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', { where, place: METADATA_KEY, problem: 'the description is no JSON', cause });
  }
}
