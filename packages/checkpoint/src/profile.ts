import type { ClassEntry, InputSpec, KeypointScheme } from '@rcnn/core';
import { RcnnError, shortened } from '@rcnn/core/errors';
import type { JsonValue } from './json.ts';
import { fromVersion1, isVersion1, OPTION_FIELDS } from './profile-v1.ts';

/**
 * What a set of weights expects of the program around it. It travels with every checkpoint, because a model that reads
 * the right numbers with the wrong epsilon, channel order or resize rule fails quietly.
 */
export interface WeightsProfile {
  /** Where the weights come from, for people: `torchvision maskrcnn_resnet50_fpn COCO_V1`. */
  readonly source: string;
  /** Name of the architecture, when it has one: `maskrcnn_resnet50_fpn`. */
  readonly architecture?: string | undefined;
  /** What the architecture must be built with for these weights, in its own words: `{ normEpsilon: 0 }`. */
  readonly options: Readonly<Record<string, JsonValue>>;
  /** How images are prepared. */
  readonly input: InputSpec;
  /** Outputs of the classifier, the background (0) included. */
  readonly numClasses: number;
  /** What the labels mean; labels that were never trained are left out. */
  readonly classes?: readonly ClassEntry[] | undefined;
  /** What the key points mean that the model finds. */
  readonly keypoints?: KeypointScheme | undefined;
}

/** What a profile says beside torchvision's conventions. */
export interface ProfileChanges extends Pick<WeightsProfile, 'source' | 'numClasses' | 'architecture' | 'classes'> {
  readonly options?: WeightsProfile['options'] | undefined;
  readonly input?: Partial<InputSpec> | undefined;
}

/** How torchvision's detectors are built. An epsilon of 1e-5, but for the published v1 COCO files, which have 0. */
const OPTIONS: WeightsProfile['options'] = {
  normEpsilon: 1e-5,
  strideIn: '3x3',
  maskPaste: 'torchvision',
  roiAlign: { aligned: false, samplingRatio: 2 },
};

const INPUT: InputSpec = {
  resize: { rule: 'torchvision', minSize: 800, maxSize: 1333 },
  sizeDivisor: 32,
  channelOrder: 'rgb',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** torchvision's conventions (defaults of its detection models), for weights that were trained there or here. */
export function torchvisionProfile({ options, input, ...rest }: ProfileChanges): WeightsProfile {
  return { ...rest, options: { ...OPTIONS, ...options }, input: { ...INPUT, ...input } };
}

type Check = (value: unknown) => boolean;

/** What each field must be; the optional ones may be absent. */
const FIELDS: Readonly<Record<keyof WeightsProfile, Check>> = {
  source: isText,
  architecture: optional(isText),
  options: isRecord,
  input: isRecord,
  numClasses: isCount,
  classes: optional((value) => Array.isArray(value) && value.every(isClass)),
  keypoints: optional(isScheme),
};

const INPUT_FIELDS: Readonly<Record<keyof InputSpec, Check>> = {
  resize: isResize,
  sizeDivisor: (value) => isCount(value) && value !== 0,
  channelOrder: (value) => value === 'rgb' || value === 'bgr',
  mean: isTriple,
  std: isTriple,
};

/** A profile out of a file, every field looked at; those of version 1 too. @throws FILE_MALFORMED naming the field */
export function checkProfile(value: unknown, where: string, place: string): WeightsProfile {
  const profile = isVersion1(value) ? fromVersion1(value) : value;
  checkFields(profile, FIELDS, where, place);
  checkFields((profile as WeightsProfile).input, INPUT_FIELDS, where, `${place}/input`);
  if (profile !== value) checkFields((profile as WeightsProfile).options, OPTION_FIELDS, where, `${place}/options`);
  return profile as WeightsProfile;
}

function checkFields(value: unknown, fields: Readonly<Record<string, Check>>, where: string, place: string): void {
  for (const [field, isRight] of Object.entries(fields)) {
    if (isRecord(value) && isRight(value[field])) continue;
    const found = isRecord(value) ? (JSON.stringify(value[field]) ?? 'nothing') : JSON.stringify(value);
    throw new RcnnError('FILE_MALFORMED', {
      where,
      place: `${place}/${field}`,
      problem: 'not a weights profile',
      found: shortened(found, 200),
    });
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScheme(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { names, skeleton, partners = [] } = value;
  if (!Array.isArray(names) || !Array.isArray(skeleton) || !Array.isArray(partners)) return false;
  const isPlace = (place: unknown): boolean => isCount(place) && (place as number) < names.length;
  const isLine = (line: unknown): boolean => Array.isArray(line) && line.length === 2 && line.every(isPlace);
  return names.every(isText) && skeleton.every(isLine) && partners.every(isPlace);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTriple(value: unknown): boolean {
  return Array.isArray(value) && value.length === 3 && value.every(Number.isFinite);
}

function isResize(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { rule, minSize, maxSize, trainingSizes, size } = value;
  if (rule === 'torchvision') return isCount(minSize) && isCount(maxSize) && optional(areCounts)(trainingSizes);
  return (rule === 'fixed' || rule === 'letterbox') && areCounts(size) && (size as unknown[]).length === 2;
}

function areCounts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isCount);
}

function isClass(value: unknown): boolean {
  return isRecord(value) && isCount(value['label']) && isCount(value['categoryId']) && isText(value['name']);
}
