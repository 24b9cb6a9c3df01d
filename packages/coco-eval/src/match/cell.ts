import { counted, RcnnError } from '@rcnn/core/errors';
import type { ResolvedParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { looksUnmatched } from '../read/ids.ts';
import { MaskArena } from '../read/segmentations.ts';
import { addEdge } from './mask-edges.ts';
import { badDetection, badTruth, MaskLoader } from './mask-loader.ts';
import { boxIoU, keypointSimilarity, maskIoU } from './similarity.ts';

/** One (image, category) cell: truths in the order of the file, detections by falling score. */
export interface Cell {
  image: number;
  category: number;
  truths: number;
  /** COCO takes a match of a truth with id 0 for none. */
  readonly truthUnseen: boolean[];
  readonly truthAreas: number[];
  readonly truthCrowd: boolean[];
  /** Crowds, and for keypoints objects without a labelled one. */
  readonly truthIgnored: boolean[];
  detections: number;
  readonly scores: number[];
  readonly areas: number[];
  /** COCO takes a detection with id 0 for no match of its truth. */
  readonly detectionIds: number[];
  /** `[detections, truths]`, row-major. */
  similarity: Float64Array;
}

/** Reads cells: what is compared, and how alike. Its memory is used for every cell again. */
export class CellReader {
  readonly #truth: GroundTruth;
  #detections: Detections;
  #loader: MaskLoader;
  readonly #params: ResolvedParams;
  readonly #least: number;
  readonly #truthMasks = new MaskArena();
  readonly #masks = new MaskArena();
  /** Of the truths, and of one detection at a time. */
  readonly #truthEdges = new MaskArena();
  readonly #edges = new MaskArena();
  readonly #box = new Float64Array(4);
  readonly #variances: readonly number[];
  readonly #cell: Cell = {
    image: 0,
    category: 0,
    truths: 0,
    truthUnseen: [],
    truthAreas: [],
    truthCrowd: [],
    truthIgnored: [],
    detections: 0,
    scores: [],
    areas: [],
    detectionIds: [],
    similarity: new Float64Array(256),
  };

  /** @param least similarities below it may be given as 0 */
  constructor(truth: GroundTruth, detections: Detections, params: ResolvedParams, least: number) {
    this.#truth = truth;
    this.#detections = detections;
    this.#loader = new MaskLoader(truth, detections);
    this.#params = params;
    this.#least = least;
    this.#variances = params.oksSigmas.map((sigma) => (sigma * 2) ** 2);
    checkParts(truth, detections, params);
  }

  /** Reads from other detections from now on. */
  use(detections: Detections): void {
    checkParts(this.#truth, detections, this.#params);
    this.#detections = detections;
    this.#loader = new MaskLoader(this.#truth, detections);
  }

  /** Gives a cell that is valid until the next one is read. @param detections rows by falling score */
  read(image: number, column: number, truths: Uint32Array, detections: Uint32Array): Cell {
    const cell = this.#cell;
    const most = this.#params.maxDetections.at(-1)!;
    cell.image = image;
    cell.category = column;
    this.#addTruths(truths);
    cell.detections = Math.max(0, Math.min(detections.length, most));
    if (cell.similarity.length < cell.truths * cell.detections) {
      cell.similarity = new Float64Array(2 * cell.truths * cell.detections);
    }
    const kind = this.#params.iouType;
    this.#masks.clear();
    this.#truthMasks.clear();
    this.#truthEdges.clear();
    const byMasks = kind === 'segm' || kind === 'boundary';
    if (byMasks && detections.length > 0) for (const row of truths) this.#loader.truth(row, this.#truthMasks);
    if (kind === 'boundary') {
      for (let g = 0; g < this.#truthMasks.masks; g++) addEdge(this.#truthMasks, g, this.#truthEdges);
    }
    for (let d = 0; d < detections.length; d++) {
      const row = detections[d]!;
      if (byMasks) this.#addMask(d, row, truths);
      else if (kind === 'bbox') this.#addBox(d, row, truths);
      else this.#addKeypoints(d, row, truths);
      if (d >= cell.detections) continue;
      cell.scores[d] = this.#detections.scores[row]!;
      cell.detectionIds[d] = this.#detections.ids?.[row] ?? 1;
    }
    return cell;
  }

  #addTruths(truths: Uint32Array): void {
    const cell = this.#cell;
    const { ids, areas, crowd, keypoints } = this.#truth;
    const kind = this.#params.iouType;
    cell.truths = truths.length;
    for (let g = 0; g < truths.length; g++) {
      const row = truths[g]!;
      cell.truthUnseen[g] = looksUnmatched(ids[row]!);
      cell.truthAreas[g] = areas[row]!;
      cell.truthCrowd[g] = crowd[row] !== 0;
      cell.truthIgnored[g] = crowd[row] !== 0 || (kind === 'keypoints' && keypoints!.labelled![row] === 0);
      if (Number.isNaN(areas[row]!)) throw badTruth(this.#truth, row, 'area', 'an annotation needs its area');
      if (kind !== 'segm' && kind !== 'boundary' && Number.isNaN(this.#truth.boxes[4 * row]!)) {
        throw badTruth(this.#truth, row, 'bbox', 'an annotation needs its box');
      }
    }
  }

  #addBox(d: number, row: number, truths: Uint32Array): void {
    const { boxes } = this.#detections;
    const cell = this.#cell;
    let source: Float64Array = boxes;
    let at = 4 * row;
    let area = boxes[at + 2]! * boxes[at + 3]!;
    if (Number.isNaN(boxes[at]!)) {
      // Results with masks only: COCO takes the mask's box, and its area.
      this.#masks.clear();
      this.#loader.detection(row, this.#masks);
      this.#box.set(this.#masks.boxes);
      source = this.#box;
      at = 0;
      area = this.#masks.areas[0]!;
    }
    if (d >= cell.detections) return;
    cell.areas[d] = area;
    for (let g = 0; g < truths.length; g++) {
      const crowd = cell.truthCrowd[g]!;
      cell.similarity[d * truths.length + g] = boxIoU(source, at, this.#truth.boxes, 4 * truths[g]!, crowd);
    }
  }

  #addMask(d: number, row: number, truths: Uint32Array): void {
    const cell = this.#cell;
    if (truths.length === 0 || d >= cell.detections) this.#masks.clear(); // only its area is asked for
    const mask = this.#masks.masks;
    const isMask = this.#loader.detection(row, this.#masks);
    if (d >= cell.detections) return;
    const { boxes } = this.#detections;
    cell.areas[d] = isMask ? this.#masks.areas[mask]! : boxes[4 * row + 2]! * boxes[4 * row + 3]!;
    this.#edges.clear();
    for (let g = 0; g < truths.length; g++) {
      const crowd = cell.truthCrowd[g]!;
      const whole = maskIoU(this.#masks, mask, this.#truthMasks, g, crowd, this.#least);
      cell.similarity[d * truths.length + g] = Math.min(whole, this.#edgeIoU(mask, g, crowd, whole));
    }
  }

  /** Of the edges of two masks whose own IoU is `whole`; that one again where edges are not asked for or cannot matter. */
  #edgeIoU(mask: number, g: number, crowd: boolean, whole: number): number {
    if (this.#params.iouType !== 'boundary' || whole <= 0) return whole;
    if (this.#edges.masks === 0) addEdge(this.#masks, mask, this.#edges);
    return maskIoU(this.#edges, 0, this.#truthEdges, g, crowd, this.#least);
  }

  #addKeypoints(d: number, row: number, truths: Uint32Array): void {
    const cell = this.#cell;
    const { keypoints, boxes } = this.#detections;
    const { points, values } = keypoints!;
    const start = 3 * points * keypoints!.blocks[row]!;
    for (let i = 0; i < 3 * points; i++) {
      if (i % 3 !== 2 && !Number.isFinite(values[start + i])) {
        throw badDetection(this.#detections, row, 'keypoints', 'keypoints must be finite numbers');
      }
    }
    if (d >= cell.detections) return;
    cell.areas[d] = Number.isNaN(boxes[4 * row]!)
      ? extentArea(values, start, points)
      : boxes[4 * row + 2]! * boxes[4 * row + 3]!;
    const truth = this.#truth.keypoints!;
    for (let g = 0; g < truths.length; g++) {
      const place = {
        values: truth.values,
        offset: 3 * points * truth.blocks[truths[g]!]!,
        boxes: this.#truth.boxes,
        boxOffset: 4 * truths[g]!,
        area: cell.truthAreas[g]!,
      };
      // COCOeval looks keypoints up by category even without categories, finds none, and matches nothing.
      cell.similarity[d * truths.length + g] = this.#params.useCategories
        ? keypointSimilarity(values, start, place, this.#variances)
        : Number.NEGATIVE_INFINITY;
    }
  }
}

function extentArea(values: Float64Array, start: number, points: number): number {
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  let top = Number.POSITIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < points; k++) {
    const x = values[start + 3 * k]!;
    const y = values[start + 3 * k + 1]!;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return (right - left) * (bottom - top);
}

/** Keypoints must be there on both sides, and as many as there are sigmas. */
function checkParts(truth: GroundTruth, detections: Detections, params: ResolvedParams): void {
  if (params.iouType !== 'keypoints') return;
  const sides = [
    [truth.where, '/annotations/0/keypoints', truth.keypoints, truth.count],
    [detections.where, '/0/keypoints', detections.keypoints, detections.count],
  ] as const;
  for (const [where, place, keypoints, count] of sides) {
    if (count === 0 || keypoints?.points === params.oksSigmas.length) continue;
    const code = place === '/0/keypoints' ? 'DETECTION_INVALID' : 'DATASET_INVALID';
    if (keypoints === undefined) {
      throw new RcnnError(code, {
        where,
        place,
        problem: 'there are no key points to compare',
        found: `${counted(count, 'object')} without any`,
        hint: 'Compare boxes or masks: iouType bbox or segm (--iou bbox).',
      });
    }
    throw new RcnnError(code, {
      where,
      place,
      problem: 'the number of keypoints does not fit the sigmas',
      found: String(keypoints.points),
      expected: String(params.oksSigmas.length),
      hint: 'Give oksSigmas (--oks-sigmas), one for each of your keypoints.',
    });
  }
}
