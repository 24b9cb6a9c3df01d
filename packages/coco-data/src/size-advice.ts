import { type ObjectSizes, objectSizes, type SizedImage, sideOf } from './object-sizes.ts';

/** What a set's object sizes ask of a model. */
export interface SizeAdvice {
  /** Short and long side that images should be resized to, in pixels. */
  readonly minSize: number;
  readonly maxSize: number;
  /** Sides of the anchors by level, finest first; undefined where the usual ones fit. */
  readonly anchorSizes: readonly number[] | undefined;
  /** Most objects of an image; undefined where the usual limit is enough. */
  readonly detections: number | undefined;
  /** What it follows from, in sentences. */
  readonly because: readonly string[];
  /** The options as they are typed after `mask-rcnn train DATA`. */
  readonly options: string;
}

/** Sides to choose from, in pixels. */
const SIDES = [256, 320, 384, 448, 512, 640, 800, 1024];

/** Pixels that the smaller objects should have: four cells of the finest map, whose stride is 4. */
const LEAST = 16;

/** Enlarging an image further adds no detail. */
const MOST_ENLARGED = 2;

/** The usual anchors: one size on each level of the pyramid, in pixels. */
export const USUAL_ANCHORS: readonly number[] = [32, 64, 128, 256, 512];

/** The usual limit of objects in an image. */
export const USUAL_DETECTIONS = 100;

/** An object in the middle of an anchor overlaps it enough to be positive (IoU .5 or more) from this share of its side on. */
const FITS = 0.75;

/** Which image size, anchors and limits fit objects of these sizes. */
export function adviseSizes(sizes: ObjectSizes): SizeAdvice {
  const minSize = sideFor(sizes);
  const maxSize = roundedUp(minSize * Math.max(5 / 3, sizes.longSide / sizes.shortSide), 32);
  const [smallest, largest] = [sizes.small * minSize, sizes.large * minSize];
  const anchorSizes = anchorsFor(smallest, largest);
  const detections = sizes.mostObjects > USUAL_DETECTIONS ? roundedUp(1.25 * sizes.mostObjects, 50) : undefined;
  const options = [
    `--model.min-size ${minSize} --model.max-size ${maxSize}`,
    ...(anchorSizes === undefined ? [] : [`--model.anchor-sizes ${anchorSizes.join(',')}`]),
    ...(detections === undefined ? [] : [`--model.detections ${detections}`]),
  ].join(' ');
  const because = [
    `With a short side of ${minSize} pixels, one object in twenty has a side below ${pixels(smallest)} pixels, half are below ${pixels(sizes.typical * minSize)}, and one in twenty is above ${pixels(largest)}.`,
    anchorSizes === undefined
      ? `The usual anchors (${USUAL_ANCHORS.join(', ')}) fit that.`
      : `The usual anchors (${USUAL_ANCHORS.join(', ')}) do not fit that; ${anchorSizes.join(', ')} do.`,
    ...(smallest < LEAST / 2 ? [`Even so, the smaller objects have few pixels: cut large images into tiles before training, and predict slice by slice: mask-rcnn predict --slice 640.`] : []),
    ...(detections === undefined
      ? []
      : [`An image has up to ${sizes.mostObjects} objects, and the usual limit is ${USUAL_DETECTIONS}.`]),
  ]; // biome-ignore format: sentences
  return { minSize, maxSize, anchorSizes, detections, because, options };
}

/** An object in the middle of an anchor of twice its side has an IoU of .25 with it: background, by the usual .3. */
const TOO_SMALL = 0.5;

/** Share of the objects from which on it is worth a warning. */
const SHARE = 0.1;

/**
 * Why many of these objects count as background, with the options that would fit; undefined where they are few, and for
 * models without anchors that are chosen.
 * @param sides what images are resized to: short side at least, long side at most, in pixels
 * @param options the model's own; `anchorSizes` of them is read, in pixels
 * @param known the options that its architecture has, by name
 */
export function warnOfSmall(
  images: readonly SizedImage[],
  sides: { readonly minSize: number; readonly maxSize: number },
  options: Readonly<Record<string, unknown>>,
  known: object,
): string | undefined {
  const sizes = objectSizes(images);
  if (sizes === undefined || !Object.hasOwn(known, 'anchorSizes')) return undefined;
  const smallest = Math.min(...((options['anchorSizes'] as readonly number[] | undefined) ?? USUAL_ANCHORS));
  const resized = images.flatMap(({ size, boxes }) => {
    const scale = Math.min(sides.minSize / Math.min(...size), sides.maxSize / Math.max(...size));
    return boxes.map((box) => sideOf(box) * scale);
  });
  const small = resized.filter((side) => side < TOO_SMALL * smallest).length;
  if (small < SHARE * resized.length) return undefined;
  const objects = `${resized.length.toLocaleString('en')} object${resized.length === 1 ? '' : 's'}`;
  return (
    `${small} of ${objects} ${small === 1 ? 'is' : 'are'} smaller, after images are resized, than half of the smallest anchor (${smallest} pixels), and ${small === 1 ? 'counts' : 'count'} as background. ` +
    `These would fit: ${adviseSizes(sizes).options}`
  );
}

/** The least side at which the smaller objects have pixels enough; images are not enlarged more than is of use. */
function sideFor({ small, shortSide }: ObjectSizes): number {
  const wanted = SIDES.find((side) => small * side >= LEAST) ?? SIDES.at(-1)!;
  const useful = SIDES.filter((side) => side <= MOST_ENLARGED * shortSide);
  return Math.min(wanted, useful.at(-1) ?? SIDES[0]!);
}

/** Anchors from the smallest to the largest object, spaced evenly; undefined where the usual ones reach both. */
function anchorsFor(smallest: number, largest: number): number[] | undefined {
  const usualLow = USUAL_ANCHORS[0]!;
  const usualHigh = USUAL_ANCHORS.at(-1)!;
  if (smallest >= FITS * usualLow && largest <= usualHigh / FITS) return undefined;
  const low = [32, 16, 8, 4].find((side) => smallest >= FITS * side) ?? 4;
  const reach = 2 ** Math.ceil(Math.log2(Math.max(1, FITS * largest)));
  const high = Math.max(low * 2 ** (USUAL_ANCHORS.length - 1), reach);
  const step = (high / low) ** (1 / (USUAL_ANCHORS.length - 1));
  return USUAL_ANCHORS.map((_, level) => Math.round(low * step ** level));
}

function roundedUp(value: number, unit: number): number {
  return unit * Math.ceil(value / unit);
}

function pixels(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
