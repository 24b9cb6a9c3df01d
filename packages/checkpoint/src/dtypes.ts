/** The element types a checkpoint can hold, by PyTorch's names. */
export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool'
  | 'complex64'
  | 'float8_e4m3fn'
  | 'float8_e5m2';

interface DTypeFacts {
  /** Bytes per element. */
  readonly size: number;
  /** The name in a safetensors header. */
  readonly code: string;
}

/** Bytes per element and safetensors code of every type. */
export const DTYPES: Readonly<Record<DType, DTypeFacts>> = {
  float64: { size: 8, code: 'F64' },
  float32: { size: 4, code: 'F32' },
  float16: { size: 2, code: 'F16' },
  bfloat16: { size: 2, code: 'BF16' },
  int64: { size: 8, code: 'I64' },
  int32: { size: 4, code: 'I32' },
  int16: { size: 2, code: 'I16' },
  int8: { size: 1, code: 'I8' },
  uint64: { size: 8, code: 'U64' },
  uint32: { size: 4, code: 'U32' },
  uint16: { size: 2, code: 'U16' },
  uint8: { size: 1, code: 'U8' },
  bool: { size: 1, code: 'BOOL' },
  complex64: { size: 8, code: 'C64' },
  float8_e4m3fn: { size: 1, code: 'F8_E4M3' },
  float8_e5m2: { size: 1, code: 'F8_E5M2' },
};

const byCode = new Map<string, DType>(Object.entries(DTYPES).map(([name, { code }]) => [code, name as DType]));

/** The type that a safetensors header calls `code`, if we know it. */
export function dtypeOfCode(code: string): DType | undefined {
  return byCode.get(code);
}

/** How many elements a tensor of this shape has; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
