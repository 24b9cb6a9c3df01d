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

/** What RoIs are read from: `[images, height, width, channels]` per level. */
export interface Maps {
  readonly shapes: readonly MapShape[];
  readonly images: number;
  readonly channels: number;
}

/** The RoIs of one image that are read from one level. */
export interface MapGroup {
  readonly image: number;
  readonly level: number;
  /** Indices of the RoIs. */
  readonly members: number[];
}

/** Sorts RoIs by the map that they are read from, so that each map is visited once. Maps without RoIs are left out. */
export function groupByMap(rois: PlacedRoIs, images: number): MapGroup[] {
  const groups = new Map<number, MapGroup>();
  for (let r = 0; r < rois.count; r++) {
    const image = rois.images[r]!;
    const level = rois.levels[r]!;
    const key = level * images + image;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { image, level, members: [r] });
    else group.members.push(r);
  }
  return [...groups.values()];
}

/** Boxes of each image, `[R * 4]` in pixels, as RoIs of the batch, `[R * 5]`: the number of the image before each box. */
export function withImages(boxes: readonly Float32Array[]): Float32Array {
  const rois = new Float32Array(boxes.reduce((sum, ofImage) => sum + (ofImage.length / 4) * 5, 0));
  let at = 0;
  for (const [image, ofImage] of boxes.entries()) {
    for (let r = 0; r < ofImage.length; r += 4, at += 5) {
      rois[at] = image;
      rois.set(ofImage.subarray(r, r + 4), at + 1);
    }
  }
  return rois;
}
