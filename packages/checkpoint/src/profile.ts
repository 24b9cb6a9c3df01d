import { RcnnError, shortened } from '@rcnn/core/errors';

/**
 * What a set of weights expects of the program around it. It travels with every checkpoint, because a model that reads
 * the right numbers with the wrong epsilon, channel order or resize rule fails quietly.
 */
export interface WeightsProfile {
  /** Where the weights come from, for people: `torchvision maskrcnn_resnet50_fpn COCO_V1`. */
  readonly source: string;
  /** torchvision's name of the architecture, when it has one: `maskrcnn_resnet50_fpn`. */
  readonly architecture?: string;
  /** Added to the variance in the body's norms. 0 for torchvision's published v1 COCO files, else 1e-5. */
  readonly normEpsilon: number;
  /** Which convolution of a bottleneck has the stride of its stage: torchvision `3x3`, detectron2's MSRA weights `1x1`. */
  readonly strideIn: '3x3' | '1x1';
  readonly roiAlign: {
    /** Whether coordinates are shifted by half a cell. */
    readonly aligned: boolean;
    /** Samples per bin side; 0 chooses by the size of the box. */
    readonly samplingRatio: number;
  };
  /** `torchvision`: scale in doubles, floor, bilinear without antialias. Sizes in pixels. */
  readonly resize: { readonly rule: 'torchvision'; readonly minSize: number; readonly maxSize: number };
  readonly channelOrder: 'rgb' | 'bgr';
  /** Per channel, in the order above, for pixels in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** How 28x28 masks come back to the image: torchvision's 1 pixel of padding and whole-pixel boxes, or detectron2's. */
  readonly paste: 'torchvision' | 'detectron2';
  /** Outputs of the classifier, the background (0) included. */
  readonly numClasses: number;
  /** What the labels mean; labels that were never trained are left out. */
  readonly classes?: readonly ClassEntry[];
}

/** One label of a model, and the category of the data set that it stands for. */
export interface ClassEntry {
  readonly label: number;
  readonly categoryId: number;
  readonly name: string;
}

/** torchvision's conventions (defaults of its detection models), for weights that were trained there or here. */
export function torchvisionProfile(
  changes: Partial<WeightsProfile> & Pick<WeightsProfile, 'source' | 'numClasses'>,
): WeightsProfile {
  return {
    normEpsilon: 1e-5,
    strideIn: '3x3',
    roiAlign: { aligned: false, samplingRatio: 2 },
    resize: { rule: 'torchvision', minSize: 800, maxSize: 1333 },
    channelOrder: 'rgb',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    paste: 'torchvision',
    ...changes,
  };
}

/** What each field must be; the optional ones may be absent. */
const FIELDS: Readonly<Record<keyof WeightsProfile, (value: unknown) => boolean>> = {
  source: isText,
  architecture: (value) => value === undefined || isText(value),
  normEpsilon: (value) => isNumber(value) && value >= 0,
  strideIn: (value) => value === '3x3' || value === '1x1',
  roiAlign: (value) => isRecord(value) && typeof value['aligned'] === 'boolean' && isCount(value['samplingRatio']),
  resize: (value) =>
    isRecord(value) && value['rule'] === 'torchvision' && isCount(value['minSize']) && isCount(value['maxSize']),
  channelOrder: (value) => value === 'rgb' || value === 'bgr',
  mean: isTriple,
  std: isTriple,
  paste: (value) => value === 'torchvision' || value === 'detectron2',
  numClasses: isCount,
  classes: (value) => value === undefined || (Array.isArray(value) && value.every(isClass)),
};

/** A profile out of a file, every field looked at. @throws FILE_MALFORMED naming the field */
export function checkProfile(value: unknown, where: string, place: string): WeightsProfile {
  for (const [field, isRight] of Object.entries(FIELDS)) {
    if (isRecord(value) && isRight(value[field])) continue;
    const found = isRecord(value) ? (JSON.stringify(value[field]) ?? 'nothing') : JSON.stringify(value);
    throw new RcnnError('FILE_MALFORMED', {
      where,
      place: `${place}/${field}`,
      problem: 'not a weights profile',
      found: shortened(found, 200),
    });
  }
  return value as WeightsProfile;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTriple(value: unknown): boolean {
  return Array.isArray(value) && value.length === 3 && value.every(isNumber);
}

function isClass(value: unknown): boolean {
  return isRecord(value) && isCount(value['label']) && isCount(value['categoryId']) && isText(value['name']);
}
