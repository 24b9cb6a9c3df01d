import type { PixelImage } from '@rcnn/core';
import type { Random } from '@rcnn/core/random';
import { maybe } from './geometric.ts';
import { withFloats } from './pixels.ts';
import type { Scene, Transform } from './scene.ts';

type Range = readonly [low: number, high: number];

/** Changes float32 RGB in [0, 1] in place. Results are clamped to [0, 1] by whoever calls. */
type ColorStep = (pixels: Float32Array, random: Random) => void;

export interface PhotometricOptions {
  /** Probability of each of the five changes. Default 0.5. */
  readonly p?: number;
  /** Default [0.875, 1.125]. */
  readonly brightness?: Range;
  /** Default [0.5, 1.5]. */
  readonly contrast?: Range;
  /** Default [0.5, 1.5]. */
  readonly saturation?: Range;
  /** In turns of the colour wheel. Default [-0.05, 0.05]. */
  readonly hue?: Range;
}

/** Brightness, contrast (before or after the colours, by a coin), saturation, hue, channel shuffle: as SSD is trained. */
export function photometricDistortion({
  p = 0.5,
  brightness = [0.875, 1.125],
  contrast = [0.5, 1.5],
  saturation = [0.5, 1.5],
  hue = [-0.05, 0.05],
}: PhotometricOptions = {}): Transform {
  return colorTransform('photometric distortion', (pixels, random) => {
    const sometimes = (step: ColorStep): void => {
      if (random.chance(p)) step(pixels, random);
    };
    const contrastFirst = random.chance(0.5);
    sometimes(brightnessBy(brightness));
    if (contrastFirst) sometimes(contrastBy(contrast));
    sometimes(saturationBy(saturation));
    sometimes(hueBy(hue));
    if (!contrastFirst) sometimes(contrastBy(contrast));
    sometimes(shuffleChannels);
  });
}

export interface ColorJitterOptions {
  /** Each draws a factor from `1 - value … 1 + value`. Default 0.4. */
  readonly brightness?: number;
  readonly contrast?: number;
  readonly saturation?: number;
  /** In turns of the colour wheel, from `-hue … hue`. Default 0.1. */
  readonly hue?: number;
}

/** Brightness, contrast, saturation and hue in random order. */
export function colorJitter({
  brightness = 0.4,
  contrast = 0.4,
  saturation = 0.4,
  hue = 0.1,
}: ColorJitterOptions = {}): Transform {
  const around = (value: number): Range => [Math.max(0, 1 - value), 1 + value];
  return colorTransform('colour jitter', (pixels, random) => {
    const steps = [
      brightnessBy(around(brightness)),
      contrastBy(around(contrast)),
      saturationBy(around(saturation)),
      hueBy([-hue, hue]),
    ];
    for (const step of random.shuffle(steps)) step(pixels, random);
  });
}

/** All three channels become the luma (ITU-R BT.601). Default probability 0.1. */
export function grayscale({ p = 0.1 }: { readonly p?: number } = {}): Transform {
  return maybe(
    p,
    colorTransform('grayscale', (pixels) => {
      for (let i = 0; i < pixels.length; i += 3) pixels.fill(luma(pixels, i), i, i + 3);
    }),
  );
}

export interface MotionBlurOptions {
  /** Default 0.2. */
  readonly p?: number;
  /** Length of the path in pixels, drawn from here. Default [3, 9]. */
  readonly length?: Range;
}

/** As if the camera had moved in a straight line while the shutter was open. */
export function motionBlur({ p = 0.2, length = [3, 9] }: MotionBlurOptions = {}): Transform {
  return maybe(p, {
    name: 'motion blur',
    apply(scene, random) {
      const path = motionPath(random.uniform(...length), random.uniform(0, Math.PI));
      return { ...scene, image: blurAlong(scene.image, path) };
    },
  });
}

/**
 * Subtracts the mean and divides by the deviation, per channel, on float32 in [0, 1]. The detector's own transform does
 * this already: use it for other models.
 */
export function normalize(
  mean: readonly [number, number, number] = [0.485, 0.456, 0.406],
  deviation: readonly [number, number, number] = [0.229, 0.224, 0.225],
): Transform {
  return {
    name: 'normalise',
    apply(scene) {
      const { image } = scene;
      const scale = image.data.BYTES_PER_ELEMENT === 1 ? 1 / 255 : 1;
      const data = Float32Array.from(image.data, (value, i) => (value * scale - mean[i % 3]!) / deviation[i % 3]!);
      return { ...scene, image: { ...image, data } };
    },
  };
}

function colorTransform(name: string, step: ColorStep): Transform {
  return {
    name,
    apply: (scene: Scene, random: Random): Scene => ({
      ...scene,
      image: withFloats(scene.image, (pixels) => step(pixels, random)),
    }),
  };
}

function luma(pixels: Float32Array, i: number): number {
  return 0.299 * pixels[i]! + 0.587 * pixels[i + 1]! + 0.114 * pixels[i + 2]!;
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

function brightnessBy(range: Range): ColorStep {
  return (pixels, random) => {
    const factor = random.uniform(...range);
    for (let i = 0; i < pixels.length; i++) pixels[i] = clamp(pixels[i]! * factor);
  };
}

function contrastBy(range: Range): ColorStep {
  return (pixels, random) => {
    const factor = random.uniform(...range);
    let sum = 0;
    for (let i = 0; i < pixels.length; i += 3) sum += luma(pixels, i);
    const rest = (1 - factor) * (sum / (pixels.length / 3));
    for (let i = 0; i < pixels.length; i++) pixels[i] = clamp(pixels[i]! * factor + rest);
  };
}

function saturationBy(range: Range): ColorStep {
  return (pixels, random) => {
    const factor = random.uniform(...range);
    for (let i = 0; i < pixels.length; i += 3) {
      const rest = (1 - factor) * luma(pixels, i);
      for (let c = i; c < i + 3; c++) pixels[c] = clamp(pixels[c]! * factor + rest);
    }
  };
}

/** Turns the hue in HSV, value and saturation kept. */
function hueBy(range: Range): ColorStep {
  return (pixels, random) => {
    const turn = random.uniform(...range) * 6;
    for (let i = 0; i < pixels.length; i += 3) {
      const [red, green, blue] = [pixels[i]!, pixels[i + 1]!, pixels[i + 2]!];
      const high = Math.max(red, green, blue);
      const chroma = high - Math.min(red, green, blue);
      if (chroma === 0) continue;
      let sextant = turn;
      if (high === red) sextant += (green - blue) / chroma;
      else if (high === green) sextant += (blue - red) / chroma + 2;
      else sextant += (red - green) / chroma + 4;
      for (const [c, offset] of [5, 3, 1].entries()) {
        const k = (((sextant + offset) % 6) + 6) % 6;
        pixels[i + c] = high - chroma * Math.max(0, Math.min(k, 4 - k, 1));
      }
    }
  };
}

const shuffleChannels: ColorStep = (pixels, random) => {
  const [r, g, b] = random.shuffle([0, 1, 2]) as [number, number, number];
  for (let i = 0; i < pixels.length; i += 3) {
    const pixel = [pixels[i]!, pixels[i + 1]!, pixels[i + 2]!];
    pixels[i] = pixel[r]!;
    pixels[i + 1] = pixel[g]!;
    pixels[i + 2] = pixel[b]!;
  }
};

/** Whole-pixel offsets along a line through the origin, one per pixel of its length. */
function motionPath(length: number, angle: number): readonly (readonly [dx: number, dy: number])[] {
  const count = Math.max(1, Math.round(length));
  return Array.from({ length: count }, (_, i) => {
    const t = i - (count - 1) / 2;
    return [Math.round(t * Math.cos(angle)), Math.round(t * Math.sin(angle))] as const;
  });
}

function blurAlong(image: PixelImage, path: readonly (readonly [number, number])[]): PixelImage {
  const { width, height, data } = image;
  const sums = new Float32Array(data.length);
  for (const [dx, dy] of path) {
    for (let y = 0, at = 0; y < height; y++) {
      const row = Math.min(height - 1, Math.max(0, y + dy)) * width;
      for (let x = 0; x < width; x++, at += 3) {
        const from = (row + Math.min(width - 1, Math.max(0, x + dx))) * 3;
        sums[at]! += data[from]!;
        sums[at + 1]! += data[from + 1]!;
        sums[at + 2]! += data[from + 2]!;
      }
    }
  }
  const bytes = data.BYTES_PER_ELEMENT === 1;
  const out = bytes ? new Uint8Array(data.length) : new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = sums[i]! / path.length + (bytes ? 0.5 : 0);
  return { ...image, data: out };
}
