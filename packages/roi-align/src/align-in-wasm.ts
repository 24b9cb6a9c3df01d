import { type CellWindow, cellsOf, windowOf } from './cell-window.ts';
import { type Kernel, makeKernel, scratchBytes } from './kernel.ts';
import {
  groupByMap,
  type MapGroup,
  type MapShape,
  type Maps,
  type PlacedRoIs,
  type RoIAlignShape,
} from './placed-rois.ts';
import { axisSpan, tapsPerBin } from './taps.ts';
import { TouchedCells } from './touched-cells.ts';

/**
 * Where the windows of its RoIs hold more cells than this many times the map, the map is kept in the kernel's memory
 * and each cell is copied once; otherwise each RoI's window is copied by itself, and stays in the cache.
 */
const OVERLAP = 10;

/**
 * Reads RoIs off maps with the SIMD kernel. The kernel sees its own memory only, so the cells that RoIs read are copied
 * in as they come to them. False where the kernel cannot run.
 */
export function alignForwardInWasm(
  values: readonly Float32Array[],
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  result: Float32Array,
): boolean {
  const { channels } = maps;
  const jobs = groupByMap(rois, maps.images).map((group) => planForward(group, maps, rois, shape));
  const bench = setUp(Math.max(0, ...jobs.map(({ cells }) => cells)), maps, rois, shape);
  if (bench === undefined) return false;
  const { map, roi } = bench;
  for (const { image, level, members, windows, mapShape, whole } of jobs) {
    const source = ofImage(values[level]!, image, maps.images);
    const touched = new TouchedCells(mapShape);
    const copy = (from: number, to: number, at: number): void =>
      map.set(source.subarray(from * channels, to * channels), at * channels);
    members.forEach((r, i) => {
      const window = windows[i]!;
      if (whole) {
        touched.touch(window, (from, to) => copy(from, to, from));
        bench.run('forward', r, mapShape, 0, mapShape.width);
      } else {
        const width = window.right - window.left + 1;
        const first = window.top * width + window.left; // of the map's cells, at the window's row length
        for (let y = window.top; y <= window.bottom; y++) {
          const from = y * mapShape.width + window.left;
          copy(from, from + width, y * width + window.left - first);
        }
        bench.run('forward', r, mapShape, -first, width);
      }
      result.set(roi, r * roi.length);
    });
  }
  return true;
}

interface ForwardJob extends MapGroup {
  readonly mapShape: MapShape;
  /** Per member. */
  readonly windows: readonly CellWindow[];
  /** Whether the map is kept whole. */
  readonly whole: boolean;
  /** Cells of memory that the job needs. */
  readonly cells: number;
}

function planForward(group: MapGroup, maps: Maps, rois: PlacedRoIs, shape: RoIAlignShape): ForwardJob {
  const mapShape = maps.shapes[group.level]!;
  const members = fromTopToBottom(group.members, rois);
  const windows = members.map((r) => windowOf(rois.boxes, r * 4, mapShape, shape));
  const sizes = windows.map(cellsOf);
  const mapCells = mapShape.height * mapShape.width;
  const whole = sizes.reduce((sum, size) => sum + size, 0) > OVERLAP * mapCells;
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  return { ...group, members, mapShape, windows, whole, cells: whole ? mapCells : largest };
}

/** The gradient of {@link alignForwardInWasm} by its maps, written to `results`, which are all 0. */
export function alignBackwardInWasm(
  gradient: Float32Array,
  maps: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  results: readonly Float32Array[],
): boolean {
  const { shapes, channels } = maps;
  const bench = setUp(Math.max(0, ...shapes.map(({ height, width }) => height * width)), maps, rois, shape);
  if (bench === undefined) return false;
  const { map, roi } = bench;
  const clear = (from: number, to: number): Float32Array => map.fill(0, from * channels, to * channels);
  for (const { image, level, members } of groupByMap(rois, maps.images)) {
    const mapShape = shapes[level]!;
    const target = ofImage(results[level]!, image, maps.images);
    const touched = new TouchedCells(mapShape);
    for (const r of fromTopToBottom(members, rois)) {
      touched.touch(windowOf(rois.boxes, r * 4, mapShape, shape), clear);
      roi.set(gradient.subarray(r * roi.length, (r + 1) * roi.length));
      bench.run('backward', r, mapShape, 0, mapShape.width);
    }
    touched.forEachRun((from, to) => {
      target.set(map.subarray(from * channels, to * channels), from * channels);
    });
  }
  return true;
}

function ofImage(values: Float32Array, image: number, images: number): Float32Array {
  const size = values.length / images;
  return values.subarray(image * size, (image + 1) * size);
}

function fromTopToBottom(members: number[], { boxes }: PlacedRoIs): number[] {
  return members.sort((a, b) => boxes[a * 4 + 1]! - boxes[b * 4 + 1]! || a - b);
}

/**
 * The kernel's memory, laid out for one call: one RoI and one map, or a window of one, at a time. So it never holds the
 * pyramid of a batch.
 */
interface Workbench {
  /** The map; holds whatever the last call left. */
  readonly map: Float32Array;
  /** The values of the RoI at hand. */
  readonly roi: Float32Array;
  /**
   * Moves RoI `r` between a map of the given shape and `roi`. The map's first cell lies, or would lie, `origin` cells
   * into `map`, its rows `rowLength` cells apart.
   */
  run(direction: 'forward' | 'backward', r: number, shape: MapShape, origin: number, rowLength: number): void;
}

/** Kept from call to call: fresh memory costs a page fault for every 4 KB. */
let kept: { kernel: Kernel; bytes: number } | undefined;

function setUp(
  mapCells: number,
  { shapes, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Workbench | undefined {
  const { height: rows, width: columns } = shape;
  const taps = mostTaps(shapes, rois, shape);
  const roiSize = rows * columns * channels;
  const mapSize = mapCells * channels;
  const roiAt = 16; // nothing at address 0
  const mapAt = roiAt + aligned(roiSize * 4);
  const scratch = mapAt + aligned(mapSize * 4);
  const kernel = reserve(scratch + scratchBytes(rows, columns, taps));
  if (kernel === undefined) return undefined;
  const room = Math.max(rows, columns) * taps;
  return {
    map: new Float32Array(kernel.memory.buffer, mapAt, mapSize),
    roi: new Float32Array(kernel.memory.buffer, roiAt, roiSize),
    run(direction, r, { height, width, scale }, origin, rowLength) {
      const p = r * 4;
      const y = axisSpan(rois.boxes[p + 1]!, rois.boxes[p + 3]!, scale, rows, shape);
      const x = axisSpan(rois.boxes[p]!, rois.boxes[p + 2]!, scale, columns, shape);
      kernel.eachBin(
        direction === 'forward' ? 0 : 1,
        mapAt + origin * channels * 4,
        roiAt,
        scratch,
        room,
        height,
        width,
        rowLength,
        channels,
        rows,
        columns,
        y.start,
        y.length,
        y.samples,
        x.start,
        x.length,
        x.samples,
      );
    },
  };
}

/** SIMD loads like addresses that are multiples of 16. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

/** The most taps that one bin of any RoI has along an axis. */
function mostTaps(shapes: readonly MapShape[], rois: PlacedRoIs, shape: RoIAlignShape): number {
  const longest = Math.max(0, ...shapes.map(({ height, width }) => Math.max(height, width)));
  if (shape.samplingRatio > 0) return tapsPerBin(shape.samplingRatio, longest);
  let most = 0;
  for (let r = 0, p = 0; r < rois.count; r++, p += 4) {
    const { height, width, scale } = shapes[rois.levels[r]!]!;
    const down = axisSpan(rois.boxes[p + 1]!, rois.boxes[p + 3]!, scale, shape.height, shape);
    const across = axisSpan(rois.boxes[p]!, rois.boxes[p + 2]!, scale, shape.width, shape);
    most = Math.max(most, tapsPerBin(down.samples, height), tapsPerBin(across.samples, width));
  }
  return most;
}

function reserve(bytes: number): Kernel | undefined {
  if (kept === undefined || kept.bytes < bytes) {
    const kernel = makeKernel(bytes);
    if (kernel === undefined) return undefined;
    kept = { kernel, bytes };
  }
  return kept.kernel;
}
