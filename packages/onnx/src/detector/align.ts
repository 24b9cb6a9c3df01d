import type { GraphValue } from '@rcnn/core';
import type { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { ELEMENT } from '../format/model.ts';
import type { OnnxWriter } from '../graph/writer.ts';
import { columns, indicesWhere } from './boxes.ts';
import { range } from './prepare-image.ts';

/** Regions cut out of a pyramid, level by level. */
export interface AlignedRegions {
  /** `[R, C, h, w]`, sorted by level. */
  readonly pooled: string;
  /** `[R]`: which region each of them is. */
  readonly order: string;
  /** Puts what a head says of the sorted regions back into the regions' own order. */
  restore(rows: string): string;
}

/** RoIAlign of boxes `[R, 4]`, each on the level that its area asks for. */
export function alignRegions(
  graph: OnnxWriter,
  boxes: string,
  maps: readonly GraphValue[],
  pool: MultiScaleRoIAlign,
): AlignedRegions {
  const levels = levelsOf(graph, boxes, pool);
  const members = pool.strides.map((_, level) => {
    return indicesWhere(graph, graph.node('Equal', [levels, graph.int64([level])]));
  });
  const parts = members.map((indices, level) => {
    const ofImage = graph.node('Mul', [indices, graph.int64([0])]); // there is one image, number 0
    const inputs = [maps[level]!.name, graph.node('Gather', [boxes, indices]), ofImage];
    return graph.node('RoiAlign', inputs, {
      output_height: pool.shape.height,
      output_width: pool.shape.width,
      sampling_ratio: pool.shape.samplingRatio,
      spatial_scale: { float: 1 / pool.strides[level]! },
      coordinate_transformation_mode: pool.shape.aligned ? 'half_pixel' : 'output_half_pixel',
    });
  });
  const order = graph.node('Concat', members, { axis: 0 });
  const places = range(graph, graph.node('Shape', [order]), { type: 'int64' });
  const inverse = graph.node('ScatterElements', [graph.node('Mul', [order, graph.int64([0])]), order, places]);
  return {
    pooled: graph.node('Concat', parts, { axis: 0 }),
    order,
    restore: (rows) => graph.node('Gather', [rows, inverse]),
  };
}

/** Level of each box: how many of the areas where a finer level gives way to the next it reaches. int64 `[R]` */
function levelsOf(graph: OnnxWriter, boxes: string, pool: MultiScaleRoIAlign): string {
  const [x1, y1, x2, y2] = columns(graph, boxes);
  const area = graph.node('Mul', [graph.node('Sub', [x2, x1]), graph.node('Sub', [y2, y1])]); // [R, 1]
  const borders = graph.float32(levelBorders(pool), [1, pool.strides.length - 1]);
  const reached = graph.node('Cast', [graph.node('GreaterOrEqual', [area, borders])], { to: ELEMENT.int64 });
  return graph.node('ReduceSum', [reached, graph.int64([1])], { keepdims: 0 });
}

/**
 * The smallest float32 area of each level but the finest. The formula has a logarithm, which another program may round
 * otherwise, just where boxes of round sizes lie; the level grows with the area, so comparing with its borders is exact.
 */
export function levelBorders(pool: MultiScaleRoIAlign): number[] {
  return pool.strides.slice(1).map((_, i) => smallestFloat((area) => pool.levelOfArea(area) >= i + 1));
}

/** The smallest positive float32 for which something holds that holds from there on. Positive floats sort as their bits. */
function smallestFloat(holds: (value: number) => boolean): number {
  const bits = new Int32Array(1);
  const value = new Float32Array(bits.buffer);
  let low = 0;
  let high = 0x7f800000; // infinity
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    bits[0] = middle;
    if (holds(value[0]!)) high = middle;
    else low = middle + 1;
  }
  bits[0] = low;
  return value[0]!;
}
