import * as tf from '@tensorflow/tfjs-core';
import { withoutGradients } from '../autograd/engine-internals.ts';
import { hostTensors, hostValues, tensorsAreOnHost } from '../host-memory.ts';

/** Where the taps of a deformable convolution stand before they are moved. */
export interface DeformGeometry {
  /** Taps on a side. */
  readonly kernelSize: number;
  readonly stride: number;
  /** Cells of zeros on every side. */
  readonly padding: number;
}

/**
 * What each tap of a deformable convolution reads, weighed: `[N, H', W', T * C]`, tap by tap, row-major. A tap reads
 * between cells, bilinearly; what is outside of the map is 0. Gradients go to map, offsets and weights.
 * @param x `[N, H, W, C]`
 * @param offsets `[N, H', W', 2 * T]`: how far each tap is moved, in cells; y, then x
 * @param weights `[N, H', W', T]`
 * @see Zhu et al. 2018, section 3.2 (arXiv:1811.11168)
 */
export function deformColumns(
  x: tf.Tensor4D,
  offsets: tf.Tensor4D,
  weights: tf.Tensor4D,
  geometry: DeformGeometry,
): tf.Tensor4D {
  const [count, rows, columns, taps] = weights.shape;
  const shape: [number, number, number, number] = [count, rows, columns, taps * x.shape[3]];
  if (shape.includes(0)) return tf.zeros(shape);
  if (!tensorsAreOnHost()) return onDevice(x, offsets, weights, geometry);
  const op = tf.customGrad((map, moves, shares, save) => {
    const inputs = [map, moves, shares] as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    const [value] = hostTensors([shape], ([result]) => read(inputs, geometry, result!));
    (save as tf.GradSaveFunc)(inputs);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const shapes = saved.map((tensor) => tensor.shape);
      return hostTensors(shapes, (results, zeroed) => {
        if (!zeroed) for (const result of results) result.fill(0);
        readBack(
          saved as typeof inputs,
          geometry,
          hostValues(dy),
          results as [Float32Array, Float32Array, Float32Array],
        );
      });
    };
    return { value: value as tf.Tensor4D, gradFunc };
  });
  return op(x, offsets, weights) as tf.Tensor4D;
}

const { floor, fround } = Math;

/** One tap at one place: the four cells around it, -1 where there is none, and how far it is past the first. */
interface Tap {
  /** Top left, top right, bottom left, bottom right; counted over the batch. */
  readonly cells: Int32Array;
  down: number;
  right: number;
  /** Of offsets, `2 * tap`; of weights, `tap`. */
  tap: number;
}

type Inputs = readonly [x: tf.Tensor4D, offsets: tf.Tensor4D, weights: tf.Tensor4D];

/** Calls `visit` for every tap, in the order of the weights. Positions are float32, as PyTorch's are. */
function visitTaps([x, offsets, weights]: Inputs, geometry: DeformGeometry, visit: (tap: Tap) => void): void {
  const { kernelSize, stride, padding } = geometry;
  const [, height, width] = x.shape;
  const [count, rows, columns, taps] = weights.shape;
  const moves = hostValues(offsets);
  const at: Tap = { cells: new Int32Array(4), down: 0, right: 0, tap: 0 };
  const { cells } = at;
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        for (let t = 0; t < taps; t++, at.tap++) {
          const y = fround(i * stride - padding + floor(t / kernelSize) + moves[2 * at.tap]!);
          const z = fround(j * stride - padding + (t % kernelSize) + moves[2 * at.tap + 1]!);
          const top = floor(y);
          const left = floor(z);
          at.down = y - top;
          at.right = z - left;
          for (let corner = 0; corner < 4; corner++) {
            const row = top + (corner >> 1);
            const column = left + (corner & 1);
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            cells[corner] = inside ? (n * height + row) * width + column : -1;
          }
          visit(at);
        }
      }
    }
  }
}

/** How much of each of the four cells is in a tap. */
function shareOf({ down, right }: Tap, corner: number): number {
  return (corner >> 1 === 0 ? 1 - down : down) * ((corner & 1) === 0 ? 1 - right : right);
}

function read(inputs: Inputs, geometry: DeformGeometry, result: Float32Array): void {
  const [values, shares] = [hostValues(inputs[0]), hostValues(inputs[2])];
  const channels = inputs[0].shape[3];
  result.fill(0);
  visitTaps(inputs, geometry, (tap) => {
    const to = tap.tap * channels;
    for (let corner = 0; corner < 4; corner++) {
      if (tap.cells[corner]! < 0) continue;
      const share = shareOf(tap, corner) * shares[tap.tap]!;
      const from = tap.cells[corner]! * channels;
      for (let c = 0; c < channels; c++) result[to + c]! += share * values[from + c]!;
    }
  });
}

/** The gradients of {@link read}, added to `results`, which are all 0. */
function readBack(
  inputs: Inputs,
  geometry: DeformGeometry,
  gradient: Float32Array,
  [ofMap, ofOffsets, ofWeights]: [Float32Array, Float32Array, Float32Array],
): void {
  const [values, shares] = [hostValues(inputs[0]), hostValues(inputs[2])];
  const channels = inputs[0].shape[3];
  const sums = new Float64Array(4); // of each cell: its values times the gradient
  visitTaps(inputs, geometry, (tap) => {
    const at = tap.tap * channels;
    const weight = shares[tap.tap]!;
    sums.fill(0);
    for (let corner = 0; corner < 4; corner++) {
      if (tap.cells[corner]! < 0) continue;
      const from = tap.cells[corner]! * channels;
      const share = shareOf(tap, corner) * weight;
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        sum += gradient[at + c]! * values[from + c]!;
        ofMap[from + c]! += gradient[at + c]! * share;
      }
      sums[corner] = sum;
    }
    const [a, b, c, d] = sums as unknown as [number, number, number, number];
    const { down, right } = tap;
    ofWeights[tap.tap] = (1 - down) * ((1 - right) * a + right * b) + down * ((1 - right) * c + right * d);
    ofOffsets[2 * tap.tap] = weight * ((1 - right) * (c - a) + right * (d - b));
    ofOffsets[2 * tap.tap + 1] = weight * ((1 - down) * (b - a) + down * (d - c));
  });
}

/** The same in plain ops, for engines whose tensors live on a GPU. tfjs knows its gradients. */
export function onDevice(
  x: tf.Tensor4D,
  offsets: tf.Tensor4D,
  weights: tf.Tensor4D,
  { kernelSize, stride, padding }: DeformGeometry,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [count, height, width, channels] = x.shape;
    const [, rows, columns, taps] = weights.shape;
    const moves = tf.reshape(offsets, [count, rows, columns, taps, 2]);
    const along = (axis: 0 | 1): tf.Tensor4D => {
      const start = tf.buffer([1, rows, columns, taps]);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          for (let t = 0; t < taps; t++) {
            const tap = axis === 0 ? floor(t / kernelSize) : t % kernelSize;
            start.set((axis === 0 ? i : j) * stride - padding + tap, 0, i, j, t);
          }
        }
      }
      const part = tf.slice(moves, [0, 0, 0, 0, axis], [count, rows, columns, taps, 1]);
      return tf.add(start.toTensor(), tf.reshape(part, [count, rows, columns, taps])) as tf.Tensor4D;
    };
    const [y, z] = [along(0), along(1)];
    // Which cells are read has no gradient, and tfjs refuses to look for one in whole numbers.
    const [top, left] = withoutGradients(() => [tf.floor(y), tf.floor(z)]) as [tf.Tensor, tf.Tensor];
    const [down, right] = [tf.sub(y, top), tf.sub(z, left)];
    const images = tf.reshape(tf.mul(tf.range(0, count, 1, 'float32'), height), [count, 1, 1, 1]);
    const cells = tf.reshape(x, [count * height * width, channels]);
    const corners = [0, 1, 2, 3].map((corner) => {
      const [index, inside] = withoutGradients(() => {
        const row = tf.add(top, corner >> 1);
        const column = tf.add(left, corner & 1);
        const line = tf.add(images, tf.clipByValue(row, 0, height - 1));
        const cell = tf.add(tf.mul(line, width), tf.clipByValue(column, 0, width - 1));
        return [tf.cast(cell, 'int32'), tf.mul(within(row, height), within(column, width))];
      }) as [tf.Tensor, tf.Tensor];
      const share = tf.mul(corner >> 1 === 0 ? tf.sub(1, down) : down, (corner & 1) === 0 ? tf.sub(1, right) : right);
      const values = tf.gather(cells, tf.reshape(index, [-1]) as tf.Tensor1D); // [N * H' * W' * T, C]
      return tf.mul(values, tf.reshape(tf.mul(tf.mul(share, inside), weights), [-1, 1]));
    });
    return tf.reshape(tf.addN(corners), [count, rows, columns, taps * channels]);
  });
}

/** 1 where a place is on the map, 0 elsewhere. */
function within(place: tf.Tensor, size: number): tf.Tensor {
  return tf.cast(tf.logicalAnd(tf.greaterEqual(place, 0), tf.lessEqual(place, size - 1)), 'float32');
}
