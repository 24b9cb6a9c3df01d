// The datasets of tools/reference/evaluation.py, drawn from the same seeds. Keep the two in step.
import { createHash } from 'node:crypto';
import { runsFromPolygons, runsToString } from '@rcnn/masks';
import { Draw } from '@rcnn/shared/seeded';
import { type CocoAnnotation, type CocoDataset, type CocoResult, evaluate, type IoUType } from '../src/index.ts';

const BORDERS = [0, 1023, 1024, 1025, 9215, 9216, 9217, 400];
const KINDS = ['bbox', 'segm', 'keypoints'] as const;

type Box = [number, number, number, number];
interface Image {
  id: number;
  height: number;
  width: number;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface RandomDataset {
  kind: IoUType;
  truth: CocoDataset;
  results: CocoResult[];
  useCategories: boolean;
}

export function randomDataset(seed: number): RandomDataset {
  const draw = new Draw(seed * 7919 + 17);
  const kind = KINDS[draw.next(5) % 3]!;
  const crowded = draw.next(12) === 0;
  const images: Image[] = Array.from({ length: 1 + draw.next(6) }, (_, i) => ({
    id: 3 * i + draw.next(3),
    height: 40 + draw.next(120),
    width: 40 + draw.next(120),
  }));
  const categories = Array.from({ length: 1 + draw.next(4) }, (_, c) => ({
    id: 2 * c + 1 + draw.next(2),
    name: String(c),
  }));
  const firstId = draw.next(4) === 0 ? 0 : 1;
  const annotations: CocoAnnotation[] = [];
  const results: CocoResult[] = [];
  for (const image of images) {
    for (let n = draw.next(8); n > 0; n--) {
      const bbox = drawBox(draw, image);
      const annotation: Mutable<CocoAnnotation> = {
        id: firstId + annotations.length,
        image_id: image.id,
        category_id: categories[draw.next(categories.length)]!.id,
        iscrowd: draw.next(8) === 0 ? 1 : 0,
        area: areaOf(draw, bbox),
        bbox,
      };
      if (kind === 'segm') annotation.segmentation = drawSegmentation(draw, bbox, image);
      else if (kind === 'keypoints') [annotation.keypoints, annotation.num_keypoints] = drawKeypoints(draw, bbox);
      annotations.push(annotation);
      for (let m = draw.next(3); m > 0; m--) results.push(drawResult(draw, kind, image, categories, annotation));
    }
    for (let n = crowded ? 60 + draw.next(100) : draw.next(4); n > 0; n--) {
      results.push(drawResult(draw, kind, image, categories, undefined));
    }
  }
  const useCategories = draw.next(6) !== 0;
  return { kind, truth: { images, categories, annotations }, results, useCategories };
}

function drawBox(draw: Draw, { height: h, width: w }: Image): Box {
  if (draw.next(6) === 0) {
    const side = [32, 96, 20][draw.next(3)]!;
    return [draw.next(w), draw.next(h), side, side];
  }
  return [draw.next(4 * w) / 4, draw.next(4 * h) / 4, (1 + draw.next(4 * w)) / 4, (1 + draw.next(4 * h)) / 4];
}

function areaOf(draw: Draw, box: Box): number {
  return draw.next(3) === 0 ? BORDERS[draw.next(8)]! : box[2] * box[3];
}

function corners([x, y, w, h]: Box): number[] {
  return [x, y, x, y + h, x + w, y + h, x + w, y];
}

function filled(box: Box, { height, width }: Image): { size: number[]; counts: string } {
  return { size: [height, width], counts: runsToString(runsFromPolygons([corners(box)], [height, width])) };
}

function drawSegmentation(draw: Draw, box: Box, image: Image): NonNullable<CocoAnnotation['segmentation']> {
  if (draw.next(3) === 0) return filled(box, image);
  const [x, y, bw, bh] = box;
  const triangle = [x, y, x + bw, y + (draw.next(5) * bh) / 4, x + (draw.next(5) * bw) / 4, y + bh];
  return draw.next(2) === 0 ? [corners(box).slice(0, 6), triangle] : [triangle];
}

function drawKeypoints(draw: Draw, [x, y, w, h]: Box): [number[], number] {
  const points: number[] = [];
  let labelled = 0;
  const hidden = draw.next(5) === 0;
  for (let i = 0; i < 17; i++) {
    const v = hidden ? 0 : draw.next(3);
    points.push(x + (draw.next(9) * w) / 8, y + (draw.next(9) * h) / 8, v);
    if (v > 0) labelled++;
  }
  return [points, labelled];
}

function drawResult(
  draw: Draw,
  kind: IoUType,
  image: Image,
  categories: readonly { id: number }[],
  truth: CocoAnnotation | undefined,
): CocoResult {
  let box = drawBox(draw, image);
  if (truth !== undefined && draw.next(5) !== 0) {
    const shift = [0, 1, 2, 4][draw.next(4)]!;
    const [x, y, bw, bh] = truth.bbox as Box;
    box = [x + draw.next(2 * shift + 1) - shift, y + draw.next(2 * shift + 1) - shift, bw, bh];
  }
  const same = truth !== undefined && draw.next(6) !== 0;
  const category_id = same ? truth.category_id : categories[draw.next(categories.length)]!.id;
  const score = [draw.next(10) / 10, draw.next(1000) / 1000][draw.next(2)]!;
  const result: Mutable<CocoResult> = { image_id: image.id, category_id, score };
  if (kind === 'bbox') {
    result.bbox = box;
  } else if (kind === 'segm') {
    result.segmentation = filled(box, image);
  } else {
    const base = truth?.keypoints ?? drawKeypoints(draw, box)[0];
    const spread = [0, 1, 3, 8][draw.next(4)]!;
    result.keypoints = base.map((v, i) => (i % 3 !== 2 ? v + draw.next(2 * spread + 1) - spread : 1));
  }
  return result;
}

/** As in the script: the first digits of the SHA-256 of arrays, numbers and text. */
export function evaluationDigest(seed: number): string {
  const { kind, truth, results, useCategories } = randomDataset(seed);
  if (results.length === 0) return 'no detections';
  const { precision, recall, scores, stats, summary } = evaluate(truth, results, { iouType: kind, useCategories });
  const hash = createHash('sha256');
  for (const values of [precision, recall, scores, Float64Array.from(stats)])
    hash.update(new Uint8Array(values.buffer));
  return hash.update(summary).digest('hex').slice(0, 16);
}
