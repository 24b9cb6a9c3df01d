import { type Kernel, makeKernel, scratchBytes } from './kernel.ts';
import { groupByMap, type MapShape, type Maps, type PlacedRoIs, type RoIAlignShape } from './placed-rois.ts';
import { axisSpan, tapsPerBin } from './taps.ts';
import { TouchedCells } from './touched-cells.ts';

/**
 * Reads RoIs off maps with the SIMD kernel. The kernel sees its own memory only, so cells are copied in as RoIs come to
 * them, from top to bottom. False where the kernel cannot run.
 */
export function alignForwardInWasm(
  values: readonly Float32Array[],
  { shapes, images, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  result: Float32Array,
): boolean {
  const bench = setUp(shapes, channels, rois, shape);
  if (bench === undefined) return false;
  const { map, roi } = bench;
  for (const { image, level, members } of groupByMap(rois, images)) {
    const source = ofImage(values[level]!, image, images);
    const copyIn = (from: number, to: number): void =>
      map.set(source.subarray(from * channels, to * channels), from * channels);
    const touched = new TouchedCells(shapes[level]!);
    for (const r of fromTopToBottom(members, rois)) {
      touched.touch(rois.boxes, r * 4, shape, copyIn);
      bench.run('forward', r, shapes[level]!);
      result.set(roi, r * roi.length);
    }
  }
  return true;
}

/** The gradient of {@link alignForwardInWasm} by its maps, written to `results`, which are all 0. */
export function alignBackwardInWasm(
  gradient: Float32Array,
  { shapes, images, channels }: Maps,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
  results: readonly Float32Array[],
): boolean {
  const bench = setUp(shapes, channels, rois, shape);
  if (bench === undefined) return false;
  const { map, roi } = bench;
  const clear = (from: number, to: number): Float32Array => map.fill(0, from * channels, to * channels);
  for (const { image, level, members } of groupByMap(rois, images)) {
    const target = ofImage(results[level]!, image, images);
    const touched = new TouchedCells(shapes[level]!);
    for (const r of fromTopToBottom(members, rois)) {
      touched.touch(rois.boxes, r * 4, shape, clear);
      roi.set(gradient.subarray(r * roi.length, (r + 1) * roi.length));
      bench.run('backward', r, shapes[level]!);
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
 * The kernel's memory, laid out for one call: one RoI and one map at a time. So it holds the largest map of one image,
 * not the pyramid of a batch.
 */
interface Workbench {
  /** The map; holds whatever the last call left. */
  readonly map: Float32Array;
  /** The values of the RoI at hand. */
  readonly roi: Float32Array;
  /** Moves RoI `r` between `map`, of the given shape, and `roi`. */
  run(direction: 'forward' | 'backward', r: number, map: MapShape): void;
}

/** Kept from call to call: fresh memory costs a page fault for every 4 KB. */
let kept: { kernel: Kernel; bytes: number } | undefined;

function setUp(
  shapes: readonly MapShape[],
  channels: number,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Workbench | undefined {
  const { height: rows, width: columns } = shape;
  const taps = mostTaps(shapes, rois, shape);
  const roiSize = rows * columns * channels;
  const mapSize = Math.max(0, ...shapes.map(({ height, width }) => height * width * channels));
  const roiAt = 16; // nothing at address 0
  const mapAt = roiAt + aligned(roiSize * 4);
  const scratch = mapAt + aligned(mapSize * 4);
  const kernel = reserve(scratch + scratchBytes(rows, columns, taps));
  if (kernel === undefined) return undefined;
  const room = Math.max(rows, columns) * taps;
  return {
    map: new Float32Array(kernel.memory.buffer, mapAt, mapSize),
    roi: new Float32Array(kernel.memory.buffer, roiAt, roiSize),
    run(direction, r, { height, width, scale }) {
      const p = r * 4;
      const y = axisSpan(rois.boxes[p + 1]!, rois.boxes[p + 3]!, scale, rows, shape);
      const x = axisSpan(rois.boxes[p]!, rois.boxes[p + 2]!, scale, columns, shape);
      kernel[direction](
        mapAt,
        roiAt,
        scratch,
        room,
        height,
        width,
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
