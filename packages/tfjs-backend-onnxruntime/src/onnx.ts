/**
 * Writes ONNX models: just enough of the protobuf wire format for graphs of a few nodes.
 * Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */

/** Element types of ONNX tensors that tfjs also has. */
export const FLOAT = 1;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;

/** Domain of onnxruntime's kernels for the blocked layout NCHWc. */
export const NCHWC = 'com.microsoft.nchwc';
/** Domain of onnxruntime's other extra operators. */
export const MICROSOFT = 'com.microsoft';

export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

export interface Port {
  readonly name: string;
  readonly type: number;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const IR_VERSION = 8;
const OPSETS: readonly [domain: string, version: number][] = [
  ['', 17],
  [NCHWC, 1],
  [MICROSOFT, 1],
];

/** A sequence type: see {@link encodeModel} on why the first output of every model is one. */
export const MARKER = 'marker';

type Bytes = readonly number[];

function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value)); // negative numbers are written as 64-bit two's complement
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

const integer = (field: number, value: number): Bytes => [...varint(field * 8), ...varint(value)];
const message = (field: number, bytes: Bytes): Bytes => [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
const text = (field: number, value: string): Bytes => message(field, [...Buffer.from(value, 'utf8')]);
const float = (field: number, value: number): Bytes => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];

function attribute(name: string, value: Attribute): Bytes {
  const kind = { float: 1, int: 2, string: 3, ints: 7 };
  if (typeof value === 'number') return [...text(1, name), ...integer(3, value), ...integer(20, kind.int)];
  if (typeof value === 'string') return [...text(1, name), ...text(4, value), ...integer(20, kind.string)];
  if ('float' in value) return [...text(1, name), ...float(2, value.float), ...integer(20, kind.float)];
  return [...text(1, name), ...value.flatMap((v) => integer(8, v)), ...integer(20, kind.ints)];
}

function encodeNode({ op, inputs, outputs, attributes = {}, domain = '' }: GraphNode): Bytes {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => message(5, attribute(name, value))),
    ...text(7, domain),
  ];
}

/** A tensor of any rank and shape. */
const tensorPort = ({ name, type }: Port): Bytes => [...text(1, name), ...message(2, message(1, integer(1, type)))];

const markerPort: Bytes = [...text(1, MARKER), ...message(2, message(4, message(1, message(1, integer(1, FLOAT)))))];

/**
 * The bytes of an ONNX model.
 *
 * Every model gets one more output in front of its own: an empty sequence called {@link MARKER}.
 * `native.ts` uses it to keep the binding from copying outputs that were written in place.
 */
export function encodeModel({ nodes, inputs, outputs }: Graph): Uint8Array {
  const marker: GraphNode = { op: 'SequenceEmpty', inputs: [], outputs: [MARKER], attributes: { dtype: FLOAT } };
  const graph: Bytes = [
    ...[marker, ...nodes].flatMap((node) => message(1, encodeNode(node))),
    ...text(2, 'kernel'),
    ...inputs.flatMap((port) => message(11, tensorPort(port))),
    ...message(12, markerPort),
    ...outputs.flatMap((port) => message(12, tensorPort(port))),
  ];
  const opsets = OPSETS.flatMap(([domain, version]) => message(8, [...text(1, domain), ...integer(2, version)]));
  return Uint8Array.from([...integer(1, IR_VERSION), ...opsets, ...message(7, graph)]);
}
