import type { ImageSize } from '@rcnn/core';
import { type PatchMask, type Projection, project, type Window } from './patch-mask.ts';
import {
  type Color,
  cropPixels,
  flipPixels,
  MEAN_COLOR,
  type ResizeOptions,
  resizePixels,
  warpPixels,
} from './pixels.ts';
import { type Box, type Scene, type SceneObject, sizeOf, type Transform } from './scene.ts';

/** An object whose box is narrower or lower than this, in pixels, is not seen any more. */
export const MIN_SIDE = 1;

/** Left and right of COCO's 17 keypoints swapped. */
export const COCO_KEYPOINT_FLIP: readonly number[] = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15];

/**
 * Left and right swapped: `x` becomes `W - x`.
 * @param keypointFlip which keypoint takes the place of each; by default what the scene knows of its key points, else
 *   COCO's for 17 of them, else none move
 */
export function flipScene(scene: Scene, keypointFlip?: readonly number[]): Scene {
  const { width } = scene.image;
  const partners = keypointFlip ?? scene.fields.keypointPartners;
  return withObjects({ ...scene, image: flipPixels(scene.image) }, (object) => ({
    ...object,
    box: [width - object.box[2], object.box[1], width - object.box[0], object.box[3]],
    ...(object.mask && { mask: object.mask.flip() }),
    ...(object.keypoints && { keypoints: flipKeypoints(object.keypoints, width, partners) }),
  }));
}

/** The whole scene at another size: image bilinear, masks nearest, boxes and keypoints by the real ratio per axis. */
export function resizeScene(scene: Scene, size: ImageSize, options: ResizeOptions = {}): Scene {
  const [height, width] = size;
  const { image } = scene;
  if (height === image.height && width === image.width) return scene;
  const sx = width / image.width;
  const sy = height / image.height;
  return withObjects({ ...scene, image: resizePixels(image, size, options) }, (object) => ({
    ...object,
    // Clipped: the product may pass the border by its last bit.
    box: clipBox([object.box[0] * sx, object.box[1] * sy, object.box[2] * sx, object.box[3] * sy], size),
    ...(object.mask && { mask: object.mask.resize(size) }),
    ...(object.keypoints && { keypoints: mapKeypoints(object.keypoints, (x, y) => [x * sx, y * sy]) }),
    ...(object.area !== undefined && { area: object.area * sx * sy }),
  }));
}

/**
 * What a window shows; where it reaches beyond the image, the mean colour. Objects that it cuts get a new box, around
 * what is left of their mask if they have one; keypoints outside become unlabelled.
 */
export function cropScene(scene: Scene, window: Window, fill: Color = MEAN_COLOR): Scene {
  const { x, y, width, height } = window;
  return withObjects({ ...scene, image: cropPixels(scene.image, window, fill) }, (object) => {
    const moved: Box = [object.box[0] - x, object.box[1] - y, object.box[2] - x, object.box[3] - y];
    const clipped = clipBox(moved, [height, width]);
    const mask = object.mask?.crop(window);
    const cut = clipped.some((side, i) => side !== moved[i]);
    return {
      ...object,
      box: cut && mask ? mask.box : clipped,
      ...(mask && { mask }),
      ...(object.keypoints && {
        keypoints: hideOutside(
          mapKeypoints(object.keypoints, (px, py) => [px - x, py - y]),
          [height, width],
        ),
      }),
      ...(object.area !== undefined && { area: cut ? areaLeft(object, clipped, mask) : object.area }),
    };
  });
}

/**
 * The scene seen through a projection of the plane. Boxes are made anew: around the mask, or around the projected
 * corners where there is none.
 * @param forward maps points of the old image to the new
 */
export function warpScene(scene: Scene, forward: Projection, size: ImageSize, fill: Color = MEAN_COLOR): Scene {
  const inverse = invert(forward);
  return withObjects({ ...scene, image: warpPixels(scene.image, inverse, size, fill) }, (object) => {
    const around = clipBox(boxAround(object.box, forward), size);
    const mask = object.mask?.warp(inverse, forward, size);
    return {
      ...object,
      box: mask ? mask.box : around,
      ...(mask && { mask }),
      ...(object.keypoints && {
        keypoints: hideOutside(
          mapKeypoints(object.keypoints, (x, y) => project(forward, x, y)),
          size,
        ),
      }),
      ...(object.area !== undefined && { area: mask ? mask.area : areaLeft(object, around, undefined) }),
    };
  });
}

/**
 * Every box made anew from its mask. Annotated boxes differ from masks by fractions of a pixel, and where annotators
 * erred by many; presets keep the annotation wherever an object is whole. Put this last where boxes must be tight.
 */
export function boxesFromMasks(): Transform {
  return {
    name: 'boxes from masks',
    apply: (scene) => withObjects(scene, (object) => (object.mask ? { ...object, box: object.mask.box } : object)),
  };
}

/** Changes every object, then drops and counts those of which nothing is left. */
export function withObjects(scene: Scene, change: (object: SceneObject) => SceneObject): Scene {
  const objects = scene.objects.map(change).filter(isVisible);
  return { ...scene, objects, dropped: scene.dropped + scene.objects.length - objects.length };
}

/** Whether the object has a box with sides of at least a pixel and, if it has a mask, a pixel of it. */
export function isVisible({ box, mask }: SceneObject): boolean {
  if (mask?.isEmpty) return false;
  return box[2] - box[0] >= MIN_SIDE && box[3] - box[1] >= MIN_SIDE; // false for NaN too
}

/** The part of a box inside an image. */
export function clipBox([x1, y1, x2, y2]: Box, [height, width]: ImageSize): Box {
  const clip = (value: number, limit: number): number => Math.min(limit, Math.max(0, value));
  return [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)];
}

/** The inverse of a projection, up to scale. */
export function invert([a, b, c, d, e, f, g, h, i]: Projection): Projection {
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const determinant = a * A + b * B + c * C;
  const rows = [A, c * h - b * i, b * f - c * e, B, a * i - c * g, c * d - a * f, C, b * g - a * h, a * e - b * d];
  return rows.map((value) => value / determinant) as unknown as Projection;
}

/** Whether the scene fits what every other function here promises; used by tests and by the loader's guard. */
export function sceneProblem(scene: Scene): string | undefined {
  const [height, width] = sizeOf(scene.image);
  for (const [i, { box, mask, keypoints, area }] of scene.objects.entries()) {
    if (!box.every(Number.isFinite)) return `object ${i} has a box that is not finite: ${box}`;
    if (box[2] - box[0] < MIN_SIDE || box[3] - box[1] < MIN_SIDE) return `object ${i} has a degenerate box: ${box}`;
    if (box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height) return `object ${i} leaves the image: ${box}`;
    if (mask && (mask.isEmpty || mask.size[0] !== height || mask.size[1] !== width)) {
      return `object ${i} has a mask of size ${mask.size} with ${mask.area} pixels in an image of ${height},${width}`;
    }
    if (keypoints && !keypoints.every(Number.isFinite)) return `object ${i} has a keypoint that is not finite`;
    if (area !== undefined && !(area > 0)) return `object ${i} has area ${area}`;
  }
  return undefined;
}

function boxAround([x1, y1, x2, y2]: Box, m: Projection): Box {
  const corners = [project(m, x1, y1), project(m, x2, y1), project(m, x1, y2), project(m, x2, y2)];
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The area of a cut object: its mask's pixels, or its old share of the box. */
function areaLeft({ area, box }: SceneObject, left: Box, mask: PatchMask | undefined): number {
  if (mask) return mask.area;
  const before = (box[2] - box[0]) * (box[3] - box[1]);
  return before > 0 ? ((area ?? before) * (left[2] - left[0]) * (left[3] - left[1])) / before : 0;
}

function mapKeypoints(points: Float32Array, map: (x: number, y: number) => readonly [number, number]): Float32Array {
  const out = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    if (points[i + 2] === 0) continue; // unlabelled points are zeros
    out.set(map(points[i]!, points[i + 1]!), i);
    out[i + 2] = points[i + 2]!;
  }
  return out;
}

function hideOutside(points: Float32Array, [height, width]: ImageSize): Float32Array {
  for (let i = 0; i < points.length; i += 3) {
    const [x, y] = [points[i]!, points[i + 1]!];
    if (!(x >= 0 && y >= 0 && x <= width && y <= height)) points.fill(0, i, i + 3);
  }
  return points;
}

function flipKeypoints(points: Float32Array, width: number, partners?: readonly number[]): Float32Array {
  const mirrored = mapKeypoints(points, (x, y) => [width - x, y]);
  const order = partners ?? (points.length === 51 ? COCO_KEYPOINT_FLIP : undefined);
  if (order === undefined) return mirrored;
  const out = new Float32Array(points.length);
  for (const [to, from] of order.entries()) out.set(mirrored.subarray(from * 3, from * 3 + 3), to * 3);
  return out;
}
