import { RcnnError } from '@rcnn/core/errors';

import { iouCrop } from './crops.ts';
import {
  fixedSizeCrop,
  horizontalFlip,
  largeScaleJitter,
  randomPerspective,
  resizeShortestSide,
  scaleJitter,
  smallRotation,
  zoomOut,
} from './geometric.ts';
import { colorJitter, grayscale, motionBlur, photometricDistortion } from './photometric.ts';
import { compose, type Pipeline, type Transform } from './scene.ts';

/** The pipelines of torchvision's detection recipes, and four levels that go from nothing to strong. */
export const PRESETS = [
  'none',
  'hflip',
  'lsj',
  'multiscale',
  'ssd',
  'ssdlite',
  'level0',
  'level1',
  'level2',
  'level3',
] as const;

export type PresetName = (typeof PRESETS)[number];

const RECIPES: Record<PresetName, () => readonly Transform[]> = {
  none: () => [],
  hflip: () => [horizontalFlip()],
  lsj: () => [scaleJitter({ target: [1024, 1024] }), fixedSizeCrop({ size: [1024, 1024] }), horizontalFlip()],
  multiscale: () => [resizeShortestSide([480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800]), horizontalFlip()],
  ssd: () => [photometricDistortion(), zoomOut(), iouCrop(), horizontalFlip()],
  ssdlite: () => [iouCrop(), horizontalFlip()],
  level0: () => [],
  level1: () => [horizontalFlip()],
  level2: () => [
    colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.02 }),
    largeScaleJitter({ scale: [0.75, 1.33] }),
    horizontalFlip(),
  ],
  level3: () => [
    photometricDistortion(),
    grayscale({ p: 0.1 }),
    smallRotation({ p: 0.5, degrees: 10 }),
    randomPerspective({ p: 0.3, distortion: 0.2 }),
    largeScaleJitter({ scale: [0.5, 2] }),
    motionBlur({ p: 0.1 }),
    horizontalFlip(),
  ],
};

/** Whether images leave the preset at a size that was chosen there, so that the model should not resize them again. */
export function fixesSize(name: PresetName): boolean {
  return name === 'multiscale' || name === 'lsj';
}

/** Long side over short of the narrowest parts of images that the preset shows; undefined where it shows whole ones. */
export function narrowestPart(name: PresetName): number | undefined {
  const cuts = preset(name).steps.some((step) => step.name === iouCrop().name);
  return cuts ? 2 : undefined; // the aspects of IoU crops are from 1/2 to 2
}

/** Whether the preset swaps left and right of some images. */
export function mirrors(name: PresetName): boolean {
  return preset(name).steps.some((step) => step.name === horizontalFlip().name);
}

/** A pipeline by name. @throws UNKNOWN_OPTION */
export function preset(name: PresetName): Pipeline {
  if (!PRESETS.includes(name)) {
    throw new RcnnError('UNKNOWN_OPTION', {
      where: 'preset',
      problem: 'there is no such preset',
      found: JSON.stringify(name),
      expected: `one of ${PRESETS.join(', ')}`,
    });
  }
  return compose(name, RECIPES[name]());
}

/** Augmentation by one knob: 0 nothing, 1 flips, 2 mild colour and scale, 3 everything. Images keep their size. */
export function augmentation(level: 0 | 1 | 2 | 3): Pipeline {
  return preset(`level${level}`);
}
