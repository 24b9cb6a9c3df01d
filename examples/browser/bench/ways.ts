// What the benchmark's program and its page both know.

/** A model to predict with. */
export type SubjectName = 'small' | 'r50';

/** What predicts. */
export type WayName = 'onnxruntime-web' | 'wasm' | 'webgl' | 'webgpu';

export const WAYS: readonly WayName[] = ['onnxruntime-web', 'wasm', 'webgl', 'webgpu'];

/** What was opened in a page, ready to predict. */
export interface OpenedWay {
  /** What computes, in words. */
  readonly device: string;
  /** A GPU interface without a GPU. */
  readonly software: boolean;
}

/** One prediction, from the pixels to the run lengths of the masks. */
export interface PageTurn {
  /** Milliseconds by the clock. */
  readonly ms: number;
  readonly detections: number;
}
