import type * as tf from '@tensorflow/tfjs-core';

/** Height and width in pixels, always in this order. */
export type ImageSize = readonly [height: number, width: number];

/** One level of a feature pyramid: its channels, and how many pixels of the image one cell spans. */
export interface FeatureSpec {
  readonly channels: number;
  readonly stride: number;
}

/** Feature maps `[N, Hi, Wi, Ci]`, finest first. */
export type Pyramid = readonly tf.Tensor4D[];

/**
 * Whether a forward pass learns (`train`: batch norm uses and updates batch statistics) or not (`predict`).
 * Losses can be computed in either phase; gradients too.
 */
export type Phase = 'train' | 'predict';

/**
 * Pixels on the host, rows from the top, `RGB RGB …`: uint8 in [0, 255] or float32 in [0, 1].
 * What decoders give, transforms change, annotators draw and models take.
 */
export interface PixelImage {
  readonly data: Uint8Array | Uint8ClampedArray | Float32Array;
  readonly height: number;
  readonly width: number;
  /** Always RGB. */
  readonly channels: 3;
}

/** Uncompressed COCO run lengths: column-major, the first run counts zeros (and may be 0). */
export interface RunLengths {
  readonly size: ImageSize;
  readonly counts: Uint32Array;
}

/** The mask of one object; it gives the form that is asked for and keeps only what it was made from. */
export interface InstanceMask {
  readonly size: ImageSize;
  /** COCO run lengths, column-major. */
  runLengths(): RunLengths;
  /** 0 or 1 per pixel, row-major, `[height * width]`. */
  bitmap(): Uint8Array;
}

/** The mask of a detection: soft until it is asked to be anything else. */
export interface DetectionMask extends InstanceMask {
  /** Probability per pixel of the whole image, row-major, `[height * width]`. */
  soft(): Float32Array;
  /** COCO's compressed run-length string. */
  rle(): { size: [number, number]; counts: string };
  /** Outlines, one flat `x0, y0, x1, y1, …` list each, in pixels. */
  polygons(): number[][];
}

/** The objects of one image, as training and evaluation see them. Host memory only: no tensors. */
export interface Target {
  /** `[N * 4]`: `x1, y1, x2, y2` in pixels. No objects is a normal value: length 0. */
  readonly boxes: Float32Array;
  /** `[N]`; 0 is the background and never appears. */
  readonly labels: Int32Array;
  /** N masks, each of the image's size. Needed by models with a mask branch. */
  readonly masks?: readonly InstanceMask[];
  /** `[N * K * 3]`: x, y, visibility (0 unlabelled, 1 hidden, 2 visible). */
  readonly keypoints?: Float32Array;
  /** `[K]`: which key point takes the place of each in a mirrored image; absent where that is not known. */
  readonly keypointPartners?: readonly number[];
  /** `[N]`: 1 marks a crowd region. Crowds are never trained on. */
  readonly crowd?: Uint8Array;
  /** `[N]`: area in pixels as annotated. */
  readonly area?: Float64Array;
  /** Named in errors. */
  readonly imageId?: number | string;
}

/** What the key points of a data set's objects are. */
export interface KeypointScheme {
  /** Their names, in order. */
  readonly names: readonly string[];
  /** Pairs of key points, counted from 0, that a line joins. */
  readonly skeleton: readonly (readonly [from: number, to: number])[];
  /** Which key point takes the place of each in a mirrored image; absent where the names do not tell. */
  readonly partners?: readonly number[] | undefined;
}

/** A detection of a model that finds masks. */
export interface MaskDetection extends Detection {
  readonly mask: DetectionMask;
}

/** A detection of a model that finds key points. */
export interface KeypointDetection extends Detection {
  readonly keypoints: NonNullable<Detection['keypoints']>;
}

/** One object that a model found. Plain data; the mask is computed when asked for. */
export interface Detection {
  /** `x1, y1, x2, y2` in pixels of the image that was given. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly label: number;
  readonly score: number;
  readonly mask?: DetectionMask;
  /** How good the mask is, class and outline together, where the model judges that beside the box. */
  readonly maskScore?: number;
  /** `[x, y, score]` per keypoint, in pixels. */
  readonly keypoints?: readonly (readonly [number, number, number])[];
}

/** One class of a model: the label it learns, and what that label means in a dataset. */
export interface ClassEntry {
  /** What models see: 1 or more. 0 is the background and no class has it. */
  readonly label: number;
  readonly name: string;
  /** The category id in annotation files. */
  readonly categoryId: number;
}
