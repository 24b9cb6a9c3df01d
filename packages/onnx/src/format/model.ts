/**
 * An ONNX model as plain data: the part of onnx.proto that graphs without branches need.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */

/** Element types, by onnx.proto's numbers. */
export const ELEMENT = { float32: 1, int8: 3, int64: 7, float16: 10, double: 11 } as const;

export type ElementType = keyof typeof ELEMENT;

/** A floating-point attribute says so: ONNX tells 1 from 1.0. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  /** Names; '' leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant of the graph. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Little-endian, as many as type and shape say. Read when they are written, so that all are never there twice. */
  readonly bytes: () => Uint8Array | Promise<Uint8Array>;
}

/** Bytes of an element. */
const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = { float32: 4, int8: 1, int64: 8, float16: 2, double: 8 };

export function bytesOfTensor({ type, shape }: Pick<OnnxTensor, 'type' | 'shape'>): number {
  return shape.reduce((product, side) => product * side, ELEMENT_BYTES[type]);
}

/** An input or output. A side that is open has a name. */
export interface OnnxPort {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
  readonly about?: string | undefined;
}

export interface OnnxModel {
  readonly name: string;
  readonly about: string;
  readonly producer: string;
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  readonly metadata: Readonly<Record<string, string>>;
}
