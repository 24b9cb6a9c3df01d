import { type InputSpec, type PerChannel, RcnnError } from '@rcnn/core';

/** What every transform takes beside its sizes. */
export interface NormalizationOptions {
  /** Per channel in the order of `channelOrder`, for images in [0, 1]. Default ImageNet's (0.485, 0.456, 0.406). */
  readonly mean?: PerChannel | undefined;
  /** Default ImageNet's (0.229, 0.224, 0.225). */
  readonly std?: PerChannel | undefined;
  /** Order of the channels that the backbone sees; images at the door are RGB always. Default `rgb`. */
  readonly channelOrder?: 'rgb' | 'bgr' | undefined;
}

/** How values change on their way into the batch. */
export type Normalization = Pick<InputSpec, 'mean' | 'std' | 'channelOrder'>;

/** The options with their defaults. @throws INVALID_ARGUMENT */
export function normalizationOf(
  where: string,
  { mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225], channelOrder = 'rgb' }: NormalizationOptions,
): Normalization {
  if (!std.every((value) => Number.isFinite(value) && value > 0)) throw unusable(where, 'std', std);
  if (!mean.every(Number.isFinite)) throw unusable(where, 'mean', mean);
  return { mean, std, channelOrder };
}

/** The error of an option with which nothing can be done. */
export function unusable(where: string, place: string, value: unknown): RcnnError {
  return new RcnnError('INVALID_ARGUMENT', { where, place, problem: 'not usable', found: JSON.stringify(value) });
}
