import { type Architecture, architectures, findArchitecture } from '@rcnn/models';
import { maskRcnnSmall, type RecipeOptions } from 'mask-rcnn';

const small = findArchitecture(architectures, 'maskrcnn_small');

/** The widths of {@link tinyMaskRcnn}: a hundredth of the weights of `maskrcnn_small`. */
const NARROW = {
  planes: [8, 8, 16, 16],
  stemChannels: 8,
  fpnChannels: 16,
  boxFeatures: 16,
  boxBatchSizePerImage: 16,
} as const satisfies RecipeOptions;

/**
 * Mask R-CNN with every part and all options of `maskrcnn_small`, so narrow that a training of some steps costs a test
 * nothing but its own work. Learns from nothing.
 */
export const tinyMaskRcnn: Architecture = {
  name: 'tiny_maskrcnn',
  about: 'boxes and masks in two stages, for tests',
  optionSchema: small.optionSchema,
  weightOptions: small.weightOptions,
  chosenAnew: small.chosenAnew,
  learnsFrom: small.learnsFrom ?? [],
  build: ({ options, numClasses, scoreThreshold, detectionsPerImage, random }) => {
    const { minSize, maxSize, proposals, detections } = options as Readonly<Record<string, number | undefined>>;
    const set = {
      numClasses,
      minSize,
      maxSize,
      rpnPostNmsTopNTrain: proposals,
      rpnPostNmsTopNTest: proposals,
      boxScoreThresh: scoreThreshold,
      boxDetectionsPerImg: detectionsPerImage ?? detections,
      random,
    };
    const given = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
    return maskRcnnSmall({ ...NARROW, ...(given as RecipeOptions) });
  },
};
