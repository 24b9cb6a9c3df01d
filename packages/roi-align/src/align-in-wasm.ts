import { type Kernel, makeKernel, type TapAddresses } from './kernel.ts';
import { groupByMap, type MapShape, type Maps, type PlacedRoIs, type RoIAlignShape } from './placed-rois.ts';
import { type AxisTaps, axisSpan, fillTaps, tapsPerBin } from './taps.ts';
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
      bench.place(r, shapes[level]!);
      bench.run('forward');
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
      bench.place(r, shapes[level]!);
      bench.run('backward');
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
 * The kernel's memory, laid out for one call: the taps of one RoI, its values, and one map at a time. So it holds the
 * largest map of one image, not the pyramid of a batch.
 */
interface Workbench {
  /** The map; holds whatever the last call left. */
  readonly map: Float32Array;
  /** The values of the RoI at hand. */
  readonly roi: Float32Array;
  /** Lays out the taps of RoI `r` over a map. */
  place(r: number, map: MapShape): void;
  run(direction: 'forward' | 'backward'): void;
}

/** Kept from call to call: fresh memory costs a page fault for every 4 KB. */
let kept: { kernel: Kernel; bytes: number } | undefined;

function setUp(
  shapes: readonly MapShape[],
  channels: number,
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): Workbench | undefined {
  const layout = new Layout();
  const [mostRows, mostColumns] = mostTaps(shapes, rois, shape);
  const list = layout.take(mostRows * mostColumns * 8);
  const rowTaps = layout.takeTaps(shape.height, mostRows);
  const columnTaps = layout.takeTaps(shape.width, mostColumns);
  const roiSize = shape.height * shape.width * channels;
  const roiAt = layout.take(roiSize * 4);
  const mapSize = Math.max(0, ...shapes.map(({ height, width }) => height * width * channels));
  const mapAt = layout.take(mapSize * 4);
  const kernel = reserve(layout.bytes);
  if (kernel === undefined) return undefined;

  const { buffer } = kernel.memory;
  const rows = viewTaps(buffer, rowTaps, shape.height, mostRows);
  const columns = viewTaps(buffer, columnTaps, shape.width, mostColumns);
  return {
    map: new Float32Array(buffer, mapAt, mapSize),
    roi: new Float32Array(buffer, roiAt, roiSize),
    place(r, { height, width, scale }) {
      const p = r * 4;
      const { boxes } = rois;
      fillTaps(rows, axisSpan(boxes[p + 1]!, boxes[p + 3]!, scale, shape.height, shape), shape.height, height);
      fillTaps(columns, axisSpan(boxes[p]!, boxes[p + 2]!, scale, shape.width, shape), shape.width, width);
      toBytes(rows, shape.height, width * channels * 4);
      toBytes(columns, shape.width, channels * 4);
    },
    run(direction) {
      kernel[direction](
        mapAt,
        roiAt,
        channels,
        shape.height,
        shape.width,
        rowTaps.starts,
        rowTaps.offsets,
        rowTaps.weights,
        columnTaps.starts,
        columnTaps.offsets,
        columnTaps.weights,
        list,
      );
    },
  };
}

/** Hands out addresses, 16 bytes apart at least: SIMD loads like that. */
class Layout {
  bytes = 16; // nothing at address 0

  take(size: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(size / 16) * 16;
    return at;
  }

  takeTaps(bins: number, most: number): TapAddresses {
    return {
      starts: this.take((bins + 1) * 4),
      offsets: this.take(bins * most * 4),
      weights: this.take(bins * most * 4),
    };
  }
}

function viewTaps(buffer: ArrayBuffer, at: TapAddresses, bins: number, most: number): AxisTaps {
  return {
    starts: new Int32Array(buffer, at.starts, bins + 1),
    cells: new Int32Array(buffer, at.offsets, bins * most),
    weights: new Float32Array(buffer, at.weights, bins * most),
  };
}

/** Turns cells into byte offsets, in place. */
function toBytes({ cells, starts }: AxisTaps, bins: number, bytesPerCell: number): void {
  for (let i = 0; i < starts[bins]!; i++) cells[i]! *= bytesPerCell;
}

/** The most taps that one bin of any RoI has, per axis. */
function mostTaps(
  shapes: readonly MapShape[],
  rois: PlacedRoIs,
  shape: RoIAlignShape,
): [rows: number, columns: number] {
  if (shape.samplingRatio > 0) {
    const most = Math.max(0, ...shapes.map(({ height, width }) => Math.max(height, width)));
    const taps = tapsPerBin(shape.samplingRatio, most);
    return [taps, taps];
  }
  let rows = 0;
  let columns = 0;
  for (let r = 0, p = 0; r < rois.count; r++, p += 4) {
    const { height, width, scale } = shapes[rois.levels[r]!]!;
    const across = axisSpan(rois.boxes[p]!, rois.boxes[p + 2]!, scale, shape.width, shape);
    const down = axisSpan(rois.boxes[p + 1]!, rois.boxes[p + 3]!, scale, shape.height, shape);
    rows = Math.max(rows, tapsPerBin(down.samples, height));
    columns = Math.max(columns, tapsPerBin(across.samples, width));
  }
  return [rows, columns];
}

function reserve(bytes: number): Kernel | undefined {
  if (kept === undefined || kept.bytes < bytes) {
    const kernel = makeKernel(bytes);
    if (kernel === undefined) return undefined;
    kept = { kernel, bytes };
  }
  return kept.kernel;
}
