import type { Detection, ImageSize, InstanceMask, Target } from '@rcnn/core';
import { type Color, type ColorBy, paletteColor } from './palette.ts';

/** Pairs of keypoint numbers, from 0, that a line joins. */
export type Skeleton = readonly (readonly [from: number, to: number])[];

/** One object to draw, whether a model found it or a person annotated it. */
export interface DrawnObject {
  /** `x1, y1, x2, y2` in pixels of the image. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** 0 or missing: no class is known, and none is written. */
  readonly label?: number;
  /** Missing for ground truth. */
  readonly score?: number;
  readonly mask?: InstanceMask;
  /** `[x, y, v]` per keypoint: v is a score or COCO's visibility; 0 and less is not drawn. */
  readonly keypoints?: readonly (readonly [x: number, y: number, v: number])[];
  /** A crowd region: drawn dashed by tint only, and named so. */
  readonly crowd?: boolean;
}

/** Everything an annotator needs to know besides the canvas. */
export interface Scene {
  /** Size of the image in its own pixels. */
  readonly size: ImageSize;
  readonly objects: readonly DrawnObject[];
  /** Pixels of the canvas per pixel of the image. */
  readonly scale: number;
  /** The name of a class; missing names are written as `class 7`. */
  readonly names: ReadonlyMap<number, string>;
  /** Pairs of key points that a line joins; undefined where nobody said. */
  readonly skeleton?: Skeleton | undefined;
  colorOf(index: number): Color;
}

export interface SceneOptions {
  /** Default 1. */
  readonly scale?: number;
  readonly names?: ReadonlyMap<number, string>;
  /** Pairs of key points that a line joins. Default COCO's for objects of 17 key points, no lines for others. */
  readonly skeleton?: Skeleton | undefined;
  /** Default `instance`: neighbours of one class stay apart. */
  readonly colorBy?: ColorBy;
}

/** Puts an image's objects together for the annotators. */
export function createScene(
  size: ImageSize,
  objects: readonly DrawnObject[],
  { scale = 1, names = new Map(), skeleton, colorBy = 'instance' }: SceneOptions = {},
): Scene {
  return {
    size,
    objects,
    scale,
    names,
    skeleton,
    // A label starts at 1; objects without one are told apart by their place.
    colorOf: (index) => {
      const label = objects[index]?.label ?? 0;
      return paletteColor(colorBy === 'class' && label > 0 ? label - 1 : index);
    },
  };
}

/** Detections as objects to draw: those at or above `minScore`, best first. */
export function drawnDetections(detections: readonly Detection[], minScore = 0): DrawnObject[] {
  return detections.filter(({ score }) => score >= minScore).toSorted((a, b) => b.score - a.score);
}

/** Ground truth as objects to draw. */
export function drawnTarget({ boxes, labels, masks, keypoints, crowd }: Target): DrawnObject[] {
  const perObject = labels.length === 0 ? 0 : (keypoints?.length ?? 0) / labels.length / 3;
  return Array.from(labels, (label, i) => ({
    box: [boxes[i * 4]!, boxes[i * 4 + 1]!, boxes[i * 4 + 2]!, boxes[i * 4 + 3]!] as const,
    label,
    ...(masks?.[i] === undefined ? {} : { mask: masks[i] }),
    ...(keypoints === undefined ? {} : { keypoints: rows(keypoints, i * perObject, perObject) }),
    ...(crowd?.[i] === 1 ? { crowd: true } : {}),
  }));
}

function rows(values: Float32Array, first: number, count: number): [number, number, number][] {
  return Array.from({ length: count }, (_, k) => {
    const at = (first + k) * 3;
    return [values[at]!, values[at + 1]!, values[at + 2]!];
  });
}
