import { Kernel } from '../kernel.ts';
import type { ResolvedParams } from '../params.ts';
import type { Detections, GroundTruth } from '../read/columns.ts';
import { looksUnmatched } from '../read/ids.ts';
import { ByteSegmentations } from '../read/parse.ts';
import { MaskArena } from '../read/segmentations.ts';
import type { CellList } from './cells.ts';
import { MaskLoader } from './mask-loader.ts';
import { reachable } from './match.ts';
import { Outcomes } from './outcomes.ts';

/** Cells that are matched at once: so many that calls cost nothing, so few that a faster version gets its turn. */
const AT_ONCE = 256;
const CELL = 24; // bytes: six whole numbers
const MASK = 56;
/** JSON of a mask, in bytes, beyond which it is left to JavaScript. */
const MAX_TEXT = 2 ** 18;
const PADDING = 64;

const CROWD = 1;
const IGNORED = 2;
const UNSEEN = 4;

/**
 * Matches all cells by WebAssembly. undefined where that is missing, and for what it does not know: keypoints, more
 * than 32 thresholds, rows that lack what is compared. JavaScript then does all of it, and finds what is wrong.
 */
export function matchNatively(
  truth: GroundTruth,
  detections: Detections,
  params: ResolvedParams,
  columns: number,
  cells: CellList,
): Outcomes | undefined {
  if (!isUsual(truth, detections, params, cells)) return undefined;
  const kernel = Kernel.make();
  if (kernel === undefined) return undefined;
  const task = new Task(kernel, truth, detections, params, columns, cells);
  if (task.lacksNumbers()) return undefined;
  if (params.iouType === 'bbox') task.matchBoxes();
  else task.matchMasks();
  return task.outcomes();
}

function isUsual(
  truth: GroundTruth,
  detections: Detections,
  { iouType, iouThresholds }: ResolvedParams,
  { rows }: CellList,
): boolean {
  if (iouType === 'keypoints' || iouType === 'boundary' || iouThresholds.length > 32 || detections.ids !== undefined)
    return false;
  if (iouType === 'bbox') return true;
  const masks = detections.segmentations;
  return (
    truth.segmentations instanceof ByteSegmentations &&
    masks instanceof ByteSegmentations &&
    rows.every((row) => masks.has(row))
  );
}

/** One evaluation in the kernel's memory. */
class Task {
  readonly #kernel: Kernel;
  readonly #truth: GroundTruth;
  readonly #detections: Detections;
  readonly #params: ResolvedParams;
  readonly #list: CellList;
  readonly #columns: number;
  readonly #cells: number;
  readonly #places: Record<'scores' | 'image' | 'category' | 'rank' | 'matched' | 'ignored' | 'positives', number>;
  readonly #mostTruths: number;
  readonly #most: number;
  readonly #lacking: boolean;

  constructor(
    kernel: Kernel,
    truth: GroundTruth,
    detections: Detections,
    params: ResolvedParams,
    columns: number,
    list: CellList,
  ) {
    this.#kernel = kernel;
    this.#truth = truth;
    this.#detections = detections;
    this.#params = params;
    this.#list = list;
    this.#columns = columns;
    const { areaRanges, iouThresholds, maxDetections } = params;
    const limit = Math.min(maxDetections.at(-1)!, 2 ** 31 - 1);
    kernel.run.setParams(
      kernel.copy(Float64Array.from(iouThresholds, reachable)),
      iouThresholds.length,
      kernel.copy(Float64Array.from(areaRanges.flatMap(({ min, max }) => [min, max]))),
      areaRanges.length,
      limit,
    );
    const own = { areas: kernel.copy(truth.areas), boxes: kernel.copy(truth.boxes), rows: kernel.copy(list.truths) };
    kernel.run.setTruth(own.areas, kernel.copy(flagsOf(truth)), own.boxes, own.rows);
    const found = { boxes: kernel.copy(detections.boxes), rows: kernel.copy(list.rows) };
    kernel.run.setDetections(kernel.copy(detections.scores), found.boxes, found.rows);
    const [truths, rows] = [list.truths.length, list.rows.length];
    this.#lacking =
      kernel.run.anyNaN(own.areas, 8, own.rows, truths) !== 0 ||
      (params.iouType === 'bbox' &&
        (kernel.run.anyNaN(own.boxes, 32, own.rows, truths) !== 0 ||
          kernel.run.anyNaN(found.boxes, 32, found.rows, rows) !== 0));
    this.#cells = kernel.copy(list.cells);
    const n = list.rows.length;
    const bits = 4 * n * areaRanges.length;
    const positives = 4 * columns * areaRanges.length;
    this.#places = {
      scores: kernel.room(8 * n),
      image: kernel.room(4 * n),
      category: kernel.room(4 * n),
      rank: kernel.room(4 * n),
      matched: kernel.room(bits),
      ignored: kernel.room(bits),
      positives: kernel.room(positives),
    };
    const sizes = largest(list.cells, limit);
    this.#mostTruths = sizes.truths;
    this.#most = sizes.detections;
    const { scores, image, category, rank, matched, ignored, positives: counts } = this.#places;
    const scratch = kernel.room(16 * sizes.truths + 8 * sizes.pairs + 8 * sizes.detections);
    kernel.run.setOutcomes(scores, image, category, rank, matched, ignored, counts, scratch, sizes.truths);
  }

  /** Whether a row lacks a number that is compared. */
  lacksNumbers(): boolean {
    return this.#lacking;
  }

  matchBoxes(): void {
    const count = this.#list.cells.length / 6;
    for (let i = 0; i < count; i += AT_ONCE) {
      this.#kernel.run.matchBoxCells(this.#cells + CELL * i, Math.min(AT_ONCE, count - i));
    }
  }

  matchMasks(): void {
    const kernel = this.#kernel;
    const { cells, truths, rows } = this.#list;
    const truthMasks = new NativeMasks(kernel, this.#mostTruths);
    const masks = new NativeMasks(kernel, this.#most + 1);
    const reader = new MaskReader(kernel, this.#truth, this.#detections);
    const begin = kernel.free;
    for (let c = 0; c < cells.length; c += 6) {
      kernel.release(begin); // masks live as long as their cell
      const [, , firstTruth, endTruth, first, end] = cells.subarray(c, c + 6);
      truthMasks.count = 0;
      masks.count = 0;
      if (end! > first!) for (let i = firstTruth!; i < endTruth!; i++) reader.truth(truths[i]!, truthMasks);
      for (let i = first!; i < end!; i++) {
        // Beyond the limit a mask is only read to see whether it is one: in the one place after the others.
        masks.count = Math.min(masks.count, this.#most);
        reader.detection(rows[i]!, masks);
      }
      kernel.run.matchMaskCell(this.#cells + 4 * c, truthMasks.address, masks.address);
    }
  }

  outcomes(): Outcomes {
    const kernel = this.#kernel;
    const { areaRanges } = this.#params;
    const n = kernel.run.matchBoxCells(0, 0); // none: only asks how many there are
    const bits = n * areaRanges.length;
    const { scores, image, category, rank, matched, ignored, positives } = this.#places;
    const outcomes = new Outcomes(this.#params, this.#columns, Math.max(1, n));
    outcomes.count = n;
    outcomes.scores.set(kernel.doubles(scores, n));
    outcomes.image.set(kernel.integers(image, n));
    outcomes.category.set(kernel.integers(category, n));
    outcomes.rank.set(kernel.integers(rank, n));
    outcomes.matched.set(kernel.words(matched, bits));
    outcomes.ignored.set(kernel.words(ignored, bits));
    outcomes.positives.set(kernel.words(positives, outcomes.positives.length));
    const { cells } = this.#list;
    for (let c = 1; c < cells.length; c += 6) outcomes.seen[cells[c]!] = 1;
    return outcomes;
  }
}

function flagsOf({ count, crowd, ids }: GroundTruth): Uint8Array {
  const flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    flags[i] = (crowd[i] !== 0 ? CROWD | IGNORED : 0) | (looksUnmatched(ids[i]!) ? UNSEEN : 0);
  }
  return flags;
}

/** The most truths, detections within the limit, and pairs of them that a cell has. */
function largest(cells: Int32Array, limit: number): { truths: number; detections: number; pairs: number } {
  const most = { truths: 0, detections: 0, pairs: 0 };
  for (let c = 0; c < cells.length; c += 6) {
    const truths = cells[c + 3]! - cells[c + 2]!;
    const detections = Math.min(cells[c + 5]! - cells[c + 4]!, limit);
    most.truths = Math.max(most.truths, truths);
    most.detections = Math.max(most.detections, detections);
    most.pairs = Math.max(most.pairs, truths * detections);
  }
  return most;
}

/** What the kernel knows of some masks, one after the other. */
class NativeMasks {
  readonly address: number;
  count = 0;

  constructor(kernel: Kernel, most: number) {
    this.address = kernel.room(MASK * most);
  }

  /** Where the next one goes. */
  next(): number {
    return this.address + MASK * this.count++;
  }
}

/** Brings masks from the bytes of their files into the kernel's memory. */
class MaskReader {
  readonly #kernel: Kernel;
  readonly #truth: GroundTruth;
  readonly #detections: Detections;
  readonly #loader: MaskLoader;
  readonly #arena = new MaskArena();
  readonly #text: number;
  readonly #scratch: number;
  readonly #capacity: number;

  constructor(kernel: Kernel, truth: GroundTruth, detections: Detections) {
    this.#kernel = kernel;
    this.#truth = truth;
    this.#detections = detections;
    this.#loader = new MaskLoader(truth, detections);
    const longest = Math.max(4096, longestText(truth), longestText(detections));
    this.#capacity = longest;
    this.#text = kernel.room(longest + PADDING);
    this.#scratch = kernel.room(4 * 8 * longest);
  }

  truth(row: number, masks: NativeMasks): void {
    const mask = masks.next();
    if (this.#read(this.#truth, row, mask)) return;
    this.#arena.clear();
    this.#loader.truth(row, this.#arena);
    this.#take(mask);
  }

  detection(row: number, masks: NativeMasks): void {
    const mask = masks.next();
    if (this.#read(this.#detections, row, mask) && this.#hasSizeOfImage(row, mask)) return;
    this.#arena.clear();
    this.#loader.detection(row, this.#arena);
    this.#take(mask);
  }

  #hasSizeOfImage(row: number, mask: number): boolean {
    const image = this.#detections.image[row]!;
    const height = this.#truth.imageSizes[2 * image]!;
    const [maskHeight, maskWidth] = this.#kernel.words(mask + 8, 2);
    return height === 0 || (maskHeight === height && maskWidth === this.#truth.imageSizes[2 * image + 1]);
  }

  /** False where JavaScript must do it. */
  #read({ segmentations, image }: GroundTruth | Detections, row: number, mask: number): boolean {
    if (segmentations?.has(row) !== true) return false;
    const { bytes, starts, ends } = (segmentations as ByteSegmentations).source;
    const length = ends[row]! - starts[row]!;
    if (length > this.#capacity) return false;
    const kernel = this.#kernel;
    const runs = kernel.free;
    kernel.reach(runs + 4 * this.#capacity);
    const memory = kernel.bytes;
    memory.set(bytes.subarray(starts[row]!, ends[row]!), this.#text);
    memory.fill(0, this.#text + length, this.#text + length + PADDING);
    const { imageSizes } = this.#truth;
    const height = imageSizes[2 * image[row]!]!;
    const width = imageSizes[2 * image[row]! + 1]!;
    const count = kernel.run.readMask(this.#text, height, width, mask, runs, this.#scratch, this.#capacity);
    if (count < 0) return false;
    kernel.room(4 * count);
    return true;
  }

  /** Takes over the mask that JavaScript decoded. */
  #take(mask: number): void {
    const kernel = this.#kernel;
    const { ends, length, heights, widths, areas, boxes } = this.#arena;
    const runs = kernel.copy(ends.subarray(0, length));
    kernel.words(mask, 4).set([runs, length, heights[0]!, widths[0]!]);
    const memory = new DataView(kernel.run.memory.buffer);
    [areas[0]!, ...boxes].forEach((value, i) => memory.setFloat64(mask + 16 + 8 * i, value, true));
  }
}

function longestText({ segmentations }: GroundTruth | Detections): number {
  const { starts, ends } = (segmentations as ByteSegmentations).source;
  let longest = 0;
  for (let i = 0; i < starts.length; i++) longest = Math.max(longest, ends[i]! - starts[i]!);
  return Math.min(longest, MAX_TEXT);
}
