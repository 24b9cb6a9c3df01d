import type { PixelImage } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { Random } from '@rcnn/core/random';
import { isVisible, resizeScene } from './geometry.ts';
import type { PatchMask } from './patch-mask.ts';
import { type Scene, type SceneObject, sizeOf } from './scene.ts';

/** A step that needs the other scenes of its batch. */
export interface BatchTransform {
  readonly name: string;
  apply(scenes: readonly Scene[], random: Random): Scene[];
}

export interface CopyPasteOptions {
  /** Soften the seams with a 5x5 Gaussian of deviation 2. Default true. */
  readonly blend?: boolean;
}

/** Pastes objects of each scene's neighbour in the batch onto it (Ghiasi et al. 2021, arXiv:2012.07177). */
export function copyPaste(options: CopyPasteOptions = {}): BatchTransform {
  return {
    name: 'copy-paste',
    apply: (scenes, random) =>
      scenes.map((scene, i) => {
        const partner = scenes[(i + scenes.length - 1) % scenes.length]!; // the batch rolled by one
        return partner === scene ? scene : pasteObjects(scene, partner, random.fork('paste', i), options);
      }),
  };
}

/**
 * A random subset of the partner's objects laid over a scene. What they cover is cut from the masks below, whose boxes
 * and areas are made anew; objects that vanish are dropped and counted.
 * @throws TARGET_INVALID when either scene has objects without masks
 */
export function pasteObjects(
  scene: Scene,
  partner: Scene,
  random: Random,
  { blend = true }: CopyPasteOptions = {},
): Scene {
  const source = resizeScene(partner, sizeOf(scene.image));
  const candidates = source.objects.filter(({ crowd }) => !crowd);
  if (candidates.length === 0) return scene;
  checkMasks(scene);
  checkMasks(source);
  const drawn = new Set(candidates.map(() => random.integer(candidates.length))); // with repeats: a random subset
  const pasted = candidates.filter((_, i) => drawn.has(i));
  const below = scene.objects.map((object) => cover(object, pasted)).filter(isVisible);
  return {
    ...scene,
    image: pastePixels(
      scene.image,
      source.image,
      pasted.map(({ mask }) => mask!),
      blend,
    ),
    objects: [...below, ...pasted],
    dropped: scene.dropped + scene.objects.length - below.length,
  };
}

/** What is left of an object under others. */
function cover(object: SceneObject, above: readonly SceneObject[]): SceneObject {
  const mask = above.reduce((rest, other) => rest.without(other.mask!), object.mask!);
  if (mask === object.mask || mask.area === object.mask!.area) return object;
  return { ...object, mask, box: mask.box, ...(object.area !== undefined && { area: mask.area }) };
}

const GAUSSIAN = [-2, -1, 0, 1, 2].map((x) => Math.exp(-(x * x) / (2 * 2 ** 2)));
const GAUSSIAN_SUM = GAUSSIAN.reduce((sum, value) => sum + value, 0);

function pastePixels(ground: PixelImage, source: PixelImage, masks: readonly PatchMask[], blend: boolean): PixelImage {
  const { width, height } = ground;
  let alpha = new Float32Array(width * height);
  for (const mask of masks) {
    for (let y = 0; y < mask.height; y++) {
      const to = (mask.y + y) * width + mask.x;
      for (let x = 0; x < mask.width; x++) if (mask.data[y * mask.width + x] === 1) alpha[to + x] = 1;
    }
  }
  if (blend) alpha = blur(blur(alpha, width, height, 1), width, height, width);
  const bytes = ground.data.BYTES_PER_ELEMENT === 1;
  const data = ground.data.slice();
  const scale = source.data.BYTES_PER_ELEMENT === ground.data.BYTES_PER_ELEMENT ? 1 : bytes ? 255 : 1 / 255;
  for (let i = 0; i < alpha.length; i++) {
    const a = alpha[i]!;
    if (a === 0) continue;
    for (let c = 3 * i; c < 3 * i + 3; c++) {
      data[c] = data[c]! * (1 - a) + source.data[c]! * scale * a + (bytes ? 0.5 : 0);
    }
  }
  return { ...ground, data };
}

/** One pass of the 5-tap Gaussian along rows (`step` 1) or columns (`step` = width); the border is repeated. */
function blur(values: Float32Array, width: number, height: number, step: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  const last = step === 1 ? width - 1 : height - 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const at = step === 1 ? x : y;
      let sum = 0;
      for (let k = -2; k <= 2; k++) {
        const neighbour = Math.min(last, Math.max(0, at + k));
        sum += values[i + (neighbour - at) * step]! * GAUSSIAN[k + 2]!;
      }
      out[i] = sum / GAUSSIAN_SUM;
    }
  }
  return out;
}

function checkMasks({ objects, fields }: Scene): void {
  if (objects.every(({ mask }) => mask !== undefined)) return;
  throw new RcnnError('TARGET_INVALID', {
    where: 'copyPaste',
    ...(fields.imageId !== undefined && { place: `image ${fields.imageId}` }),
    problem: 'objects can only be copied by their masks, and some have none',
    hint: 'Use copy-paste with datasets that have segmentations.',
  });
}
