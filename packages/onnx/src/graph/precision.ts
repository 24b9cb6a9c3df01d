import { type ParameterLayout, RcnnError } from '@rcnn/core';
import { ELEMENT, type OnnxTensor } from '../format/model.ts';
import { toHalf } from './half.ts';
import type { OnnxWriter } from './writer.ts';

/**
 * How filters and matrices are stored; vectors are float32 always, and so is all arithmetic. `float16` halves the file,
 * `int8` quarters it: one scale for each output channel, the largest weight of which becomes 127.
 */
export type Precision = 'float32' | 'float16' | 'int8';

/** A weight on its way into the file. */
interface StoredWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layout: ParameterLayout;
  /** Row-major, an array of its own. */
  readonly read: () => Promise<Float32Array>;
}

/** Whether a weight of this layout is stored as something else than float32. */
export function isPacked(layout: ParameterLayout, precision: Precision): boolean {
  return precision !== 'float32' && layout !== 'same';
}

/** The weight as constants of the file. */
export function packWeight(weight: StoredWeight, precision: Precision): OnnxTensor[] {
  const { name, shape, read, layout } = weight;
  if (!isPacked(layout, precision)) return [{ name, type: 'float32', shape, bytes: async () => bytesOf(await read()) }];
  if (precision === 'int8') return quantized(weight);
  return [{ name, type: 'float16', shape, bytes: async () => bytesOf(halves(name, await read())) }];
}

/** The node that makes float32 of a packed weight; onnxruntime does it once, when it loads the file. */
export function unpackWeight(graph: OnnxWriter, name: string, layout: ParameterLayout, precision: Precision): string {
  if (precision === 'float16') return graph.node('Cast', [name], { to: ELEMENT.float32 });
  return graph.node('DequantizeLinear', [name, scalesOf(name)], { axis: outputAxis(layout) });
}

const scalesOf = (name: string): string => `${name}:scale`;

/** Which axis of the stored shape counts output channels. */
function outputAxis(layout: ParameterLayout): number {
  return layout === 'transposedConv' ? 1 : 0;
}

const LARGEST_HALF = 65504;

function halves(name: string, values: Float32Array): Uint16Array {
  const large = values.find((value) => Math.abs(value) > LARGEST_HALF);
  if (large === undefined) return toHalf(values);
  throw new RcnnError('EXPORT_UNSUPPORTED', {
    where: 'export',
    place: name,
    problem: 'a weight is too large for a half float',
    found: String(large),
    expected: `at most ${LARGEST_HALF}`,
    hint: 'Export with float32 weights.',
  });
}

function quantized({ name, shape, read, layout }: StoredWeight): OnnxTensor[] {
  const axis = outputAxis(layout);
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  const channelOf = (i: number): number => Math.floor(i / inner) % channels;
  const scalesFor = (values: Float32Array): Float32Array => {
    const largest = new Float32Array(channels);
    values.forEach((value, i) => {
      const channel = channelOf(i);
      largest[channel] = Math.max(largest[channel]!, Math.abs(value));
    });
    return largest.map((value) => value / 127 || 1); // a channel of zeros
  };
  const whole = async (): Promise<Uint8Array> => {
    const values = await read();
    const scales = scalesFor(values);
    return bytesOf(Int8Array.from(values, (value, i) => Math.round(value / scales[channelOf(i)]!)));
  };
  const factors = async (): Promise<Uint8Array> => bytesOf(scalesFor(await read()));
  return [
    { name, type: 'int8', shape, bytes: whole },
    { name: scalesOf(name), type: 'float32', shape: [channels], bytes: factors },
  ];
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
