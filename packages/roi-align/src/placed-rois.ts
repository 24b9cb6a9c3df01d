/** RoIs with the map that each is read from. */
export interface PlacedRoIs {
  readonly count: number;
  /** `[R * 4]`: `x1, y1, x2, y2` in pixels. */
  readonly boxes: Float32Array;
  /** Place of each RoI's image in the batch: `[R]`. */
  readonly images: Int32Array;
  /** Which map each RoI is read from: `[R]`. */
  readonly levels: Int32Array;
}

/** How a RoI becomes a small map. */
export interface RoIAlignShape {
  readonly height: number;
  readonly width: number;
  readonly samplingRatio: number;
  readonly aligned: boolean;
}

/** One map of the pyramid: `[N, height, width, C]`; pixels times `scale` are cells. */
export interface MapShape {
  readonly height: number;
  readonly width: number;
  readonly scale: number;
}
