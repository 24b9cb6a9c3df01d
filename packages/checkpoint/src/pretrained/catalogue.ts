import { torchvisionProfile, type WeightsProfile } from '../profile.ts';
import { COCO_CLASSES } from './coco-classes.ts';

/** A file of weights that torchvision publishes. */
export interface PublishedWeights {
  /** torchvision's name of the model: `maskrcnn_resnet50_fpn`. */
  readonly name: string;
  /** torchvision's name of the weights: `COCO_V1`. */
  readonly weights: string;
  /** Ends with the first digits of its SHA-256. */
  readonly file: string;
  readonly profile: WeightsProfile;
}

/** Where torchvision's files are. */
export const PUBLISHED_URL = 'https://download.pytorch.org/models/';

/** The v1 COCO detectors were trained with norms without an epsilon (pytorch/vision#2933); all others have 1e-5. */
const WITHOUT_EPSILON: ReadonlySet<string> = new Set([
  'maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth',
  'fasterrcnn_resnet50_fpn_coco-258fb6c6.pth',
  'keypointrcnn_resnet50_fpn_coco-fc266e95.pth',
]);

/** Model, weights, file. For each model the first is the default. Source: torchvision 0.29.1. */
const FILES: readonly (readonly [name: string, weights: string, file: string])[] = [
  ['maskrcnn_resnet50_fpn', 'COCO_V1', 'maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth'],
  ['maskrcnn_resnet50_fpn_v2', 'COCO_V1', 'maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth'],
  ['fasterrcnn_resnet50_fpn', 'COCO_V1', 'fasterrcnn_resnet50_fpn_coco-258fb6c6.pth'],
  ['fasterrcnn_resnet50_fpn_v2', 'COCO_V1', 'fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth'],
  ['keypointrcnn_resnet50_fpn', 'COCO_V1', 'keypointrcnn_resnet50_fpn_coco-fc266e95.pth'],
  ['keypointrcnn_resnet50_fpn', 'COCO_LEGACY', 'keypointrcnn_resnet50_fpn_coco-9f466800.pth'],
  ['fasterrcnn_mobilenet_v3_large_fpn', 'COCO_V1', 'fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth'],
  ['fasterrcnn_mobilenet_v3_large_320_fpn', 'COCO_V1', 'fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth'],
  ['mobilenet_v2', 'IMAGENET1K_V1', 'mobilenet_v2-b0353104.pth'],
  ['mobilenet_v2', 'IMAGENET1K_V2', 'mobilenet_v2-7ebf99e0.pth'],
  ['mobilenet_v3_large', 'IMAGENET1K_V1', 'mobilenet_v3_large-8738ca79.pth'],
  ['mobilenet_v3_large', 'IMAGENET1K_V2', 'mobilenet_v3_large-5c1a4163.pth'],
  ['mobilenet_v3_small', 'IMAGENET1K_V1', 'mobilenet_v3_small-047dcff4.pth'],
  ['resnet18', 'IMAGENET1K_V1', 'resnet18-f37072fd.pth'],
  ['resnet34', 'IMAGENET1K_V1', 'resnet34-b627a593.pth'],
  ['resnet50', 'IMAGENET1K_V1', 'resnet50-0676ba61.pth'],
  ['resnet50', 'IMAGENET1K_V2', 'resnet50-11ad3fa6.pth'],
  ['resnet101', 'IMAGENET1K_V1', 'resnet101-63fe2227.pth'],
  ['resnet101', 'IMAGENET1K_V2', 'resnet101-cd907fc2.pth'],
  ['resnet152', 'IMAGENET1K_V1', 'resnet152-394f9c45.pth'],
  ['resnet152', 'IMAGENET1K_V2', 'resnet152-f82ba261.pth'],
  ['resnext50_32x4d', 'IMAGENET1K_V1', 'resnext50_32x4d-7cdf4587.pth'],
  ['resnext50_32x4d', 'IMAGENET1K_V2', 'resnext50_32x4d-1a0047aa.pth'],
  ['resnext101_32x8d', 'IMAGENET1K_V1', 'resnext101_32x8d-8ba56ff5.pth'],
  ['resnext101_32x8d', 'IMAGENET1K_V2', 'resnext101_32x8d-110c445d.pth'],
  ['wide_resnet50_2', 'IMAGENET1K_V1', 'wide_resnet50_2-95faca4d.pth'],
  ['wide_resnet50_2', 'IMAGENET1K_V2', 'wide_resnet50_2-9ba9bcbe.pth'],
  ['wide_resnet101_2', 'IMAGENET1K_V1', 'wide_resnet101_2-32ee1156.pth'],
  ['wide_resnet101_2', 'IMAGENET1K_V2', 'wide_resnet101_2-d733dc28.pth'],
];

/** torchvision's published files that our models can load, each with its profile. */
export const PUBLISHED: readonly PublishedWeights[] = FILES.map(([name, weights, file]) => ({
  name,
  weights,
  file,
  profile: profileOf(name, weights, file),
}));

function profileOf(name: string, weights: string, file: string): WeightsProfile {
  const common = {
    source: `torchvision ${name} ${weights}`,
    architecture: name,
    options: { normEpsilon: epsilonOf(name, file) },
  };
  if (weights.startsWith('IMAGENET')) return torchvisionProfile({ ...common, numClasses: 1000 });
  if (name.startsWith('keypointrcnn')) {
    const person = COCO_CLASSES.filter(({ name: className }) => className === 'person');
    return torchvisionProfile({ ...common, numClasses: 2, classes: person });
  }
  return torchvisionProfile({ ...common, numClasses: 91, classes: COCO_CLASSES });
}

/** MobileNetV3's classifiers have 1e-3; torchvision's detectors on them were trained with 1e-5. */
function epsilonOf(name: string, file: string): number {
  if (name.startsWith('mobilenet_v3')) return 1e-3;
  return WITHOUT_EPSILON.has(file) ? 0 : 1e-5;
}

/** Finds weights by `model`, `model.WEIGHTS` (`resnet50.IMAGENET1K_V2`) or file name. */
export function publishedWeights(name: string): PublishedWeights | undefined {
  return PUBLISHED.find((entry) => [entry.name, `${entry.name}.${entry.weights}`, entry.file].includes(name));
}

/**
 * The digits of a SHA-256 that a file name carries, as PyTorch's do: `resnet18-f37072fd.pth`. Digits without a letter
 * are more likely a date.
 */
export function hashInName(file: string): string | undefined {
  const digits = /-([\da-f]{8,64})\.[a-z]+$/.exec(file)?.[1];
  return digits !== undefined && /[a-f]/.test(digits) ? digits : undefined;
}
