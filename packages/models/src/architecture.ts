import type { JsonValue, TensorSource, WeightsProfile } from '@rcnn/checkpoint';
import type { BatchNormFactory, Detector, InputSpec, Random, TargetExtra } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { z } from 'zod';
import { faultsOf, type OptionFault } from './option-faults.ts';

/** Options of an architecture as its schema gave them back. */
export type ModelOptions = Readonly<Record<string, unknown>>;

/** What a detector is to be built for. */
export interface BuildRequest {
  /** Background included: 91 for COCO, 2 for one class. */
  readonly numClasses: number;
  /** Of one object, where the data or the weights say it. Default the method's own: 17, COCO's persons. */
  readonly numKeypoints?: number | undefined;
  /** Checked by the architecture's own schema, defaults filled in. */
  readonly options: ModelOptions;
  /** How images were prepared when the weights that come next were trained. Options go before it. */
  readonly input?: InputSpec | undefined;
  /** Least score of a detection. Default the method's own. */
  readonly scoreThreshold?: number | undefined;
  /** Most detections of an image. Default the method's own. */
  readonly detectionsPerImage?: number | undefined;
  /** For a detector that will learn. */
  readonly training?: TrainingRequest | undefined;
  /** Draws the first weights. */
  readonly random?: Random | undefined;
}

/** How a detector will learn. */
export interface TrainingRequest {
  /** Whether it begins without weights. */
  readonly fromNothing: boolean;
  /** Whether images come at their final size. */
  readonly resizes: boolean;
  /** Makes the norms that learn from batches. Default `BatchNorm`; processes that train together can share theirs. */
  readonly batchNorm?: BatchNormFactory | undefined;
}

/**
 * A kind of detector by name: all that training, prediction and checkpoints need in order to make one. A plain object in
 * a list that is handed on; nothing is registered.
 */
export interface Architecture {
  /** As in `arch: maskrcnn_resnet50_fpn`. */
  readonly name: string;
  /** What it is, in half a sentence. */
  readonly about: string;
  /** Its options, each of which may be left out: a strict zod object. Descriptions become help texts. */
  readonly optionSchema: z.ZodObject;
  /** Names of the options that weights depend on: they travel in the profile of every checkpoint. */
  readonly weightOptions: readonly string[];
  /** Those of them that another training from such weights chooses anew, since they say how the first one was done. */
  readonly chosenAnew?: readonly string[] | undefined;
  /** What its detectors learn from beside boxes, as their `spec.learnsFrom`: named to users whose data lack it elsewhere. */
  readonly learnsFrom?: readonly TargetExtra[];
  build(request: BuildRequest): Detector;
  /** Whether a file without a profile looks like one of these, by names and shapes of its tensors. */
  recognise?(weights: TensorSource): boolean;
  /** The same tensors under the names that `build` gives, where files of the method's origin have others. */
  ownNames?(weights: TensorSource): TensorSource;
  /** How many classes the file's predictors tell apart; 0 when that cannot be told. */
  classesOf?(weights: TensorSource): number;
  /** How many key points of an object the file's predictors find; undefined when that cannot be told. */
  keypointsOf?(weights: TensorSource): number | undefined;
}

/** The architecture of a name. @throws INVALID_ARGUMENT listing all */
export function findArchitecture(architectures: readonly Architecture[], name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found !== undefined) return found;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'architecture',
    place: name,
    problem: 'no such architecture',
    expected: `one of ${nearest(architectures, name)}`,
    hint: "A list that holds your own is handed in as 'architectures'.",
  });
}

/** Names in an error: there are hundreds, and nobody reads them all. */
const NAMED = 8;

/** The known names most of whose parts a name has, and it of theirs; equals in the order of the list. And how many more. */
function nearest(architectures: readonly Architecture[], name: string): string {
  const parts = new Set(name.toLowerCase().split(/[^a-z0-9]+/));
  const likeness = (known: string): number => {
    const own = known.split('_');
    return own.filter((part) => parts.has(part)).length / (own.length + parts.size);
  };
  const sorted = architectures.map((architecture) => architecture.name).toSorted((a, b) => likeness(b) - likeness(a));
  const more = sorted.length - NAMED;
  return sorted.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} others` : '');
}

/** The faults of an architecture's options; empty when all are fine. */
export function optionFaults({ optionSchema }: Architecture, options: unknown): OptionFault[] {
  const result = optionSchema.safeParse(options);
  return result.success ? [] : faultsOf(result.error.issues, options);
}

/** The options with their defaults. @throws CONFIG_INVALID naming every fault */
export function checkOptions(architecture: Architecture, options: ModelOptions): ModelOptions {
  const faults = optionFaults(architecture, options);
  if (faults.length === 0) return architecture.optionSchema.parse(options);
  const known = Object.keys(architecture.optionSchema.shape).join(', ');
  const texts = faults.flatMap(({ path, expected, found, unknown }) =>
    unknown.length > 0
      ? unknown.map((key) => `there is no option '${key}'`)
      : [`${path.join('.')}: expected ${expected}, found ${found}`],
  );
  throw new RcnnError('CONFIG_INVALID', {
    where: architecture.name,
    place: `model.${faults[0]!.unknown[0] ?? faults[0]!.path.join('.')}`,
    problem: texts.join('; '),
    expected: known === '' ? 'no options' : known,
  });
}

/** What weights of a detector expect of the program that loads them. */
export function profileOf(
  architecture: Architecture,
  { spec }: Detector,
  options: ModelOptions,
  { source, classes, keypoints }: Pick<WeightsProfile, 'source' | 'classes' | 'keypoints'>,
): WeightsProfile {
  const checked = checkOptions(architecture, options);
  const kept = architecture.weightOptions.filter((name) => checked[name] !== undefined);
  return {
    source,
    architecture: architecture.name,
    options: Object.fromEntries(kept.map((name) => [name, checked[name] as JsonValue])),
    input: spec.input,
    numClasses: spec.numClasses,
    ...(classes && { classes }),
    ...(keypoints && spec.finds.includes('keypoints') && { keypoints }),
  };
}
