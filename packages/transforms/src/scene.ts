import type { ImageSize, PixelImage, Target } from '@rcnn/core';
import type { Random } from '@rcnn/core/random';
import { PatchMask } from './patch-mask.ts';

export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** One object of a {@link Scene}. Plain data: change it by making another. */
export interface SceneObject {
  /** `x1, y1, x2, y2` in pixels of the scene's image. */
  readonly box: Box;
  readonly label: number;
  readonly crowd: boolean;
  readonly mask?: PatchMask;
  /** `[K * 3]`: x, y, visibility. */
  readonly keypoints?: Float32Array;
  /** As annotated, in pixels; follows what is done to the image. */
  readonly area?: number;
}

/** An image and its objects on the way through a pipeline. */
export interface Scene {
  readonly image: PixelImage;
  readonly objects: readonly SceneObject[];
  /** How many objects transforms have removed so far because nothing of them was left to see. */
  readonly dropped: number;
  /** What the target had, so that an image without objects keeps its empty fields. */
  readonly fields: SceneFields;
}

export interface SceneFields {
  readonly masks: boolean;
  readonly keypoints: boolean;
  /** Which key point takes the place of each in a mirrored image, where that is known. */
  readonly keypointPartners?: readonly number[] | undefined;
  readonly crowd: boolean;
  readonly area: boolean;
  readonly imageId: number | string | undefined;
}

/**
 * One step of a pipeline. To write your own, make an object with these two members: draw every choice from `random`
 * and nothing else, and hand back a new scene. The same scene and stream then always give the same result.
 */
export interface Transform {
  /** Shown by previews. */
  readonly name: string;
  /** The same without the coin that decides whether it happens: what previews show. */
  readonly always?: Transform;
  apply(scene: Scene, random: Random): Scene;
}

/** Puts an image and its target together for {@link Transform}s. Pixels are shared, masks become patches. */
export function sceneOf(image: PixelImage, target: Target): Scene {
  const { boxes, labels, masks, keypoints, keypointPartners, crowd, area, imageId } = target;
  const points = labels.length === 0 ? 0 : (keypoints?.length ?? 0) / labels.length;
  const objects = Array.from(
    labels,
    (label, i): SceneObject => ({
      box: [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!],
      label,
      crowd: crowd?.[i] === 1,
      ...(masks && { mask: PatchMask.from(masks[i]!) }),
      ...(keypoints && { keypoints: keypoints.slice(i * points, (i + 1) * points) }),
      ...(area && { area: area[i]! }),
    }),
  );
  const fields = {
    masks: masks !== undefined,
    keypoints: keypoints !== undefined,
    ...(keypointPartners && { keypointPartners }),
    crowd: crowd !== undefined,
    area: area !== undefined,
    imageId,
  };
  return { image, objects, dropped: 0, fields };
}

/** The objects of a scene as a target again. */
export function targetOf({ objects, fields }: Scene): Target {
  const points = objects[0]?.keypoints?.length ?? 0;
  const keypoints = new Float32Array(objects.length * points);
  for (const [i, object] of objects.entries()) if (object.keypoints) keypoints.set(object.keypoints, i * points);
  return {
    boxes: Float32Array.from(objects.flatMap(({ box }) => box)),
    labels: Int32Array.from(objects, ({ label }) => label),
    ...(fields.masks && { masks: objects.map(({ mask }) => mask!) }),
    ...(fields.keypoints && { keypoints }),
    ...(fields.keypointPartners && { keypointPartners: fields.keypointPartners }),
    ...(fields.crowd && { crowd: Uint8Array.from(objects, ({ crowd }) => (crowd ? 1 : 0)) }),
    ...(fields.area && { area: Float64Array.from(objects, ({ area }) => area!) }),
    ...(fields.imageId !== undefined && { imageId: fields.imageId }),
  };
}

/** `[height, width]` of an image. */
export function sizeOf({ height, width }: PixelImage): ImageSize {
  return [height, width];
}

/** One transform that runs others in order. Each step has a random stream of its own: see {@link Random.fork}. */
export function compose(name: string, steps: readonly Transform[]): Pipeline {
  return {
    name,
    steps,
    apply: (scene, random) =>
      steps.reduce((current, step, i) => step.apply(current, random.fork('step', i, step.name)), scene),
  };
}

/** A composed transform whose steps can be looked at one by one. */
export interface Pipeline extends Transform {
  readonly steps: readonly Transform[];
}
