/**
 * Profiles as files had them before 2026-12: R-CNN's own settings stood beside what every detector has. Read here, and
 * nowhere else; nothing writes them any more.
 */
interface Version1 {
  readonly normEpsilon: unknown;
  readonly strideIn: unknown;
  readonly roiAlign: unknown;
  readonly paste: unknown;
  readonly resize: unknown;
  readonly channelOrder: unknown;
  readonly mean: unknown;
  readonly std: unknown;
}

/** Whether a value has the shape of a version 1 profile. */
export function isVersion1(value: unknown): value is Version1 {
  return typeof value === 'object' && value !== null && !('input' in value) && 'resize' in value;
}

/** The same in today's form; fields that are wrong stay so, for the check that follows. */
export function fromVersion1(profile: Version1): unknown {
  const { normEpsilon, strideIn, roiAlign, paste, resize, channelOrder, mean, std, ...rest } = profile;
  return {
    ...rest,
    options: { normEpsilon, strideIn, maskPaste: paste, roiAlign },
    input: { resize, sizeDivisor: 32, channelOrder, mean, std },
  };
}

/** What the options of such a profile must be; those of today's are checked by their architecture. */
export const OPTION_FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  normEpsilon: (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
  strideIn: (value) => value === '3x3' || value === '1x1',
  maskPaste: (value) => value === 'torchvision' || value === 'detectron2',
  roiAlign: isRoIAlign,
};

function isRoIAlign(value: unknown): boolean {
  const { aligned, samplingRatio } = (value ?? {}) as { aligned?: unknown; samplingRatio?: unknown };
  return typeof aligned === 'boolean' && Number.isSafeInteger(samplingRatio) && (samplingRatio as number) >= 0;
}
