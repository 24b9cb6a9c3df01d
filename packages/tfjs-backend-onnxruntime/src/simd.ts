/** Small kernels of our own in WebAssembly, for what onnxruntime does not have. Every Node that we support has SIMD. */
import { kernelBase64 } from './kernel-bytes.ts';

/**
 * The compiled `assembly/kernel.ts`; the files beside it say what each kernel takes. Addresses are in bytes; what the
 * memory holds, the next caller replaces.
 */
export interface Simd {
  readonly memory: WebAssembly.Memory;
  readonly maxPool: (
    x: number,
    rows: number,
    columns: number,
    channels: number,
    y: number,
    outRows: number,
    outColumns: number,
    filterHeight: number,
    filterWidth: number,
    strideHeight: number,
    strideWidth: number,
    top: number,
    left: number,
    /** 0, or where gradients are added. */
    dx: number,
  ) => void;
  readonly depthwise: Depthwise;
  readonly depthwise3: Depthwise;
  readonly depthwiseFilter: DepthwiseFilter;
  readonly depthwiseFilter3: DepthwiseFilter;
  readonly winogradInput: ToPlanes;
  readonly winogradSpread: ToPlanes;
  readonly winogradOutput: (
    m: number,
    plane: number,
    channels: number,
    tiles: number,
    y: number,
    row: number,
    spare: number,
  ) => void;
  readonly winogradFilter: (taps: number, size: number, count: number, u: number, spare: number) => void;
  readonly winogradGather: (u: number, size: number, count: number, taps: number, spare: number) => void;
}

type Depthwise = (
  x: number,
  xRow: number,
  xColumn: number,
  y: number,
  yRow: number,
  yColumn: number,
  rows: number,
  columns: number,
  channels: number,
  taps: number,
  count: number,
  weights: number,
) => void;

type DepthwiseFilter = (
  x: number,
  xRow: number,
  xColumn: number,
  dy: number,
  rows: number,
  columns: number,
  channels: number,
  taps: number,
  count: number,
  weights: number,
) => void;

/** Rows of pixels to 36 planes. */
type ToPlanes = (
  rows: number,
  row: number,
  channels: number,
  tiles: number,
  planes: number,
  plane: number,
  spare: number,
) => void;

const PAGE = 65536;

let simd: Simd | undefined;

/** The kernels, and their memory as at least `length` numbers. It never shrinks: keep what you ask for small. */
export function simdWithFloats(length: number): { simd: Simd; floats: Float32Array } {
  simd ??= new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(kernelBase64, 'base64')))
    .exports as unknown as Simd;
  const missing = 4 * length - simd.memory.buffer.byteLength;
  if (missing > 0) simd.memory.grow(Math.ceil(missing / PAGE));
  return { simd, floats: new Float32Array(simd.memory.buffer) };
}
