import type { ClassEntry, WeightsProfile } from '@rcnn/checkpoint';
import { type Detection, type Detector, type MaskDetection, RcnnError } from '@rcnn/core';
import { namedClasses } from './named-classes.ts';
import { type Photo, type PhotoReader, readPhoto } from './photo.ts';

/** One object of a picture, under its name. */
export type Found<D extends Detection = Detection> = Omit<D, 'label'> & {
  /** What it is: `person`; `class 7` where the weights have no name for it. */
  readonly label: string;
  /** The model's number for it, 1 or more. */
  readonly classId: number;
};

export interface DetectPhotoOptions {
  /** Objects of a lower score are left out. Default what `load` was given, else 0.5. */
  readonly scoreThreshold?: number | undefined;
  /** Probability above which a pixel belongs to the object, in the mask's hard forms. Default 0.5. */
  readonly maskThreshold?: number | undefined;
}

/** From a picture to the objects in it. Call it; dispose it when done. */
export interface PhotoDetector<D extends Detection = Detection> {
  /**
   * Finds the objects of a picture, best score first, in pixels of the picture as people see it: turned as its EXIF
   * orientation says.
   * @throws what `readPhoto` of the picture's kind throws; INVALID_ARGUMENT, DISPOSED
   */
  (photo: Photo, options?: DetectPhotoOptions): Promise<Found<D>[]>;
  /** The detector beneath, for batches, losses and training. */
  readonly model: Detector;
  /** Its architecture by name. */
  readonly architecture: string;
  /** What its labels mean; empty when the weights do not say. */
  readonly classes: readonly ClassEntry[];
  /** The engine that it was loaded on. */
  readonly engine: string;
  /** Frees the weights. Twice is fine. */
  dispose(): void;
}

/** Below this score models of this toolkit do not look, unless `load` asks them to. */
const LEAST_SCORE = 0.05;
const DEFAULT_SCORE = 0.5;

/** The lowest score that a model must be built for so that `scoreThreshold` can be met. @throws INVALID_ARGUMENT */
export function leastScore(scoreThreshold?: number): number {
  if (scoreThreshold !== undefined) requireShare('load', 'scoreThreshold', scoreThreshold, 0);
  return Math.min(LEAST_SCORE, scoreThreshold ?? LEAST_SCORE);
}

/** A detector that was loaded, or exported and opened. */
export interface DetectorOfPhotos {
  readonly model: Detector;
  readonly architecture: { readonly name: string };
  readonly profile: Pick<WeightsProfile, 'classes'> | undefined;
}

/** The callable around a loaded model. */
export function photoDetector(
  { model, architecture, profile }: DetectorOfPhotos,
  reader: PhotoReader,
  {
    engine,
    scoreThreshold: usual = DEFAULT_SCORE,
  }: { readonly engine: string; readonly scoreThreshold?: number | undefined },
): PhotoDetector {
  const classes = namedClasses({ model, profile });
  const names = new Map(classes.map(({ label, name }) => [label, name]));
  const least = leastScore(usual);
  let disposed = false;
  const detect = async (photo: Photo, options: DetectPhotoOptions = {}): Promise<Found[]> => {
    const { scoreThreshold = usual, maskThreshold = 0.5 } = options;
    if (disposed) throw new RcnnError('DISPOSED', { where: 'detector', problem: 'it was disposed before this call' });
    requireShare('detector', 'scoreThreshold', scoreThreshold, least);
    requireShare('detector', 'maskThreshold', maskThreshold, 0);
    const [detections = []] = await model.detect([await readPhoto(photo, reader)], { maskThreshold });
    return detections
      .filter(({ score }) => score >= scoreThreshold)
      .map(({ label, ...rest }) => ({ ...rest, label: names.get(label) ?? `class ${label}`, classId: label }));
  };
  return Object.assign(detect, {
    model,
    architecture: architecture.name,
    classes,
    engine,
    dispose() {
      if (!disposed) model.dispose();
      disposed = true;
    },
  });
}

function requireShare(where: string, place: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least && value <= 1) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    place,
    problem: 'not a share that can be met',
    found: String(value),
    expected: `a number from ${least} to 1`,
    ...(least > 0 && value >= 0 && { hint: 'For lower scores, give the lowest one to load.' }),
  });
}

/** A detector of masks gives a mask with every object. */
export type MaskPhotoDetector = PhotoDetector<MaskDetection>;
