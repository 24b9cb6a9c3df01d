/** Share of the samples that may be left out before `badSamples: skip` gives up; one bad sample is always allowed. */
export const MAX_SKIP_RATE = 0.1;

/** What annotation files the readers know. */
export const DATASET_FORMATS = ['coco', 'labelme', 'via', 'voc', 'yolo'] as const;

export type DatasetFormat = (typeof DATASET_FORMATS)[number];

/**
 * How a person says what a dataset is and how it is to be read, under the same names and with the same meaning in
 * TypeScript, in YAML (`autoOrient: true`) and in every command that opens data (`--auto-orient`).
 */
export interface DatasetSettings {
  readonly images?: string | undefined;
  readonly format?: 'auto' | DatasetFormat | undefined;
  readonly split?: string | undefined;
  readonly className?: string | undefined;
  readonly classAttribute?: string | undefined;
  readonly zeroBased?: boolean | undefined;
  readonly autoOrient?: boolean | undefined;
  readonly badSamples?: 'fail' | 'skip' | undefined;
  readonly maxSkipRate?: number | undefined;
  readonly maxPixels?: number | undefined;
  readonly keepEmpty?: boolean | undefined;
}

/** One of the settings: what it takes and what it means. */
export interface DatasetSetting {
  readonly about: string;
  /** `count` is a whole number from 1, `fraction` a number from 0 to 1. */
  readonly kind: 'text' | 'switch' | 'count' | 'fraction' | readonly string[];
}

/** The one definition: schemas, help texts and flags are made from it. */
export const DATASET_SETTINGS: Readonly<Record<keyof DatasetSettings, DatasetSetting>> = {
  images: { kind: 'text', about: 'Folder of the images, where it cannot be told from the place of the annotations' },
  format: { kind: ['auto', ...DATASET_FORMATS], about: 'How the data are annotated; auto is told from the files' },
  split: { kind: 'text', about: 'Which part of the data, where there are several' },
  className: { kind: 'text', about: 'VIA: the class of regions that name none' },
  classAttribute: { kind: 'text', about: 'VIA: the region attribute that holds the class' },
  zeroBased: { kind: 'switch', about: 'VOC: corners count from 0, as some tools write them' },
  autoOrient: {
    kind: 'switch',
    about: 'Turn images as their EXIF orientation says before annotations are applied',
  },
  badSamples: {
    kind: ['fail', 'skip'],
    about: 'An image or annotation that cannot be used: stop and list them, or leave them out and count',
  },
  maxSkipRate: {
    kind: 'fraction',
    about: `With bad samples skipped: stop when more than this share of the images is bad (${MAX_SKIP_RATE}; one is always allowed)`,
  },
  maxPixels: { kind: 'count', about: 'Largest image that is decoded, in pixels (64 million)' },
  keepEmpty: {
    kind: 'switch',
    about: 'Use images without objects, as negatives; training leaves them out unless asked, all else keeps them',
  },
};
