import { mobileNetNameOf } from '@rcnn/backbone-mobilenet';
import { resnetNameOf } from '@rcnn/backbone-resnet';
import {
  buildWithWeights,
  type Checkpoint,
  type LoadReport,
  modelTensors,
  refuseUnknown,
  type TensorSource,
  type WeightsProfile,
} from '@rcnn/checkpoint';
import { type InputSpec, RcnnError } from '@rcnn/core';
import { AnchorGenerator } from '@rcnn/rpn-anchors';
import { architecture } from './architectures.ts';
import { detectron2Rules } from './detectron2-rules.ts';
import type { FasterRCNN } from './faster-rcnn.ts';
import { vggNameOf } from './on-vgg.ts';
import type { RecipeOptions } from './recipes.ts';

export interface FromCheckpointOptions extends RecipeOptions {
  /** torchvision's name. Default what the checkpoint says, or what its tensors look like. */
  readonly arch?: string;
}

export interface LoadedDetector {
  readonly model: FasterRCNN;
  readonly arch: string;
  readonly numClasses: number;
  /** What the weights expect of the program around them; undefined when the file does not say. */
  readonly profile: WeightsProfile | undefined;
  readonly report: LoadReport;
}

/**
 * Builds the model that a checkpoint is of, and loads it. Options go before the checkpoint's profile, that before
 * defaults. With another `numClasses` than the file's, the predictors start afresh and `report.skipped` names them;
 * all other weights are kept. Does not close the checkpoint.
 * @throws CHECKPOINT_MISMATCH, INVALID_ARGUMENT (unknown architecture)
 */
export async function detectorFromCheckpoint(
  checkpoint: Pick<Checkpoint, 'weights' | 'profile'>,
  { arch: wanted, ...options }: FromCheckpointOptions = {},
): Promise<LoadedDetector> {
  const { profile } = checkpoint;
  const weights = modelTensors(checkpoint.weights);
  const arch =
    wanted ?? profile?.architecture ?? architectureOf(weights) ?? refuseUnknown(weights, 'maskrcnn_resnet50_fpn');
  const numClasses = options.numClasses ?? profile?.numClasses ?? classesOf(weights);
  const recipe = architecture(arch);
  const numKeypoints = options.numKeypoints ?? keypointsOf(weights);
  const settings = { ...(profile && optionsForWeights(profile)), ...options, numClasses, numKeypoints };
  // The predictors of other classes or key points need first values of their own.
  const fresh = numClasses !== classesOf(weights) || numKeypoints !== keypointsOf(weights);
  const { model, report } = await buildWithWeights(() => recipe(settings), weights, { arch, fresh, profile });
  return { model, arch, numClasses, profile, report };
}

/**
 * What a recipe must be built with for weights, from what their profile says.
 * @throws CHECKPOINT_MISMATCH for what the recipes do not do
 */
export function optionsForWeights({
  source,
  options,
  input,
}: Pick<WeightsProfile, 'source' | 'options'> & { readonly input?: InputSpec | undefined }): RecipeOptions {
  const { roiAlign = ROI_ALIGN, detections, anchorSizes, proposals, roisPerImage, ...own } = options as WeightOptions;
  const { normEpsilon, strideIn, maskPaste, semanticClasses } = own;
  const { aligned, samplingRatio } = roiAlign;
  const theirs = aligned && samplingRatio === 0; // detectron2's rules, and mmdetection's
  if ((input !== undefined && input.resize.rule !== 'torchvision') || (!theirs && (aligned || samplingRatio !== 2))) {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where: source,
      place: 'profile',
      problem: 'the weights expect what these recipes do not do',
      found: `images resized by the rule '${input?.resize.rule}', RoIAlign ${JSON.stringify(roiAlign)}`,
      expected: "torchvision's rule, RoIAlign not aligned with 2 samples, or aligned with 0",
      hint: 'Build a MaskRCNN with a transform and RoI pools of your own, and load it with loadStateDict.',
    });
  }
  return {
    ...(theirs ? detectron2Rules(anchorSizes) : anchorOptions(anchorSizes)),
    ...(detections !== undefined && { boxDetectionsPerImg: detections }),
    ...(proposals !== undefined && { rpnPostNmsTopNTrain: proposals, rpnPostNmsTopNTest: proposals }),
    ...(roisPerImage !== undefined && { boxBatchSizePerImage: roisPerImage }),
    ...inputOptions(input),
    normEpsilon,
    strideIn,
    maskPaste,
    semanticClasses,
  };
}

/** One size on each level of the pyramid, in the usual three shapes. */
function anchorOptions(sizes: readonly number[] | undefined): RecipeOptions {
  return sizes === undefined ? {} : { rpnAnchorGenerator: new AnchorGenerator({ sizes: sizes.map((size) => [size]) }) };
}

function inputOptions(input: InputSpec | undefined): RecipeOptions {
  if (input?.resize.rule !== 'torchvision') return {};
  const { resize, channelOrder, mean, std, sizeDivisor } = input;
  return { minSize: resize.minSize, maxSize: resize.maxSize, channelOrder, mean, std, sizeDivisor };
}

/** Options of a recipe that belong to its weights, as a profile has them. */
interface WeightOptions extends Pick<RecipeOptions, 'normEpsilon' | 'strideIn' | 'maskPaste' | 'semanticClasses'> {
  readonly detections?: number | undefined;
  readonly proposals?: number | undefined;
  readonly roisPerImage?: number | undefined;
  readonly anchorSizes?: readonly number[] | undefined;
  readonly roiAlign?: { readonly aligned: boolean; readonly samplingRatio: number } | undefined;
}

const ROI_ALIGN = { aligned: false, samplingRatio: 2 };

/** What only a cascade has. */
const FIRST_STAGE = 'roi_heads.box_predictor.0.cls_score.weight';

/** How many classes the file's box predictor tells apart; 0 when it has none. */
export function classesOf({ tensors }: TensorSource): number {
  const maps = find(tensors, SCORE_MAPS);
  if (maps !== undefined) return (maps[0] ?? 0) / POSITIONS;
  const predictor = find(tensors, 'roi_heads.box_predictor.cls_score.weight') ?? find(tensors, FIRST_STAGE);
  return predictor?.[0] ?? 0;
}

/** How many key points the file's predictor finds; undefined when it has none. */
export function keypointsOf({ tensors }: TensorSource): number | undefined {
  return find(tensors, 'roi_heads.keypoint_predictor.kps_score_lowres.weight')?.[1]; // [in, out, 4, 4]
}

/** torchvision's name of what a file holds, from the names and shapes of its tensors; undefined for what is none of these. */
export function architectureOf({ tensors }: TensorSource): string | undefined {
  if (!find(tensors, 'rpn.head.cls_logits.weight')) return undefined; // another method may have the same body
  const inHeads = find(tensors, RES5) !== undefined;
  // The last stage of a C4 is in its second stage.
  const place = (name: string): string =>
    inHeads && name.startsWith('layer4.') ? `roi_heads.res5.${name.slice('layer4.'.length)}` : `backbone.body.${name}`;
  const body = resnetNameOf((name) => find(tensors, place(name)));
  if (body === undefined) return onVGG(tensors) ?? onMobileNet(tensors);
  const extra = find(tensors, MASK_LOGITS) ? 'maskrcnn' : 'fasterrcnn';
  const task = find(tensors, 'roi_heads.keypoint_predictor.kps_score_lowres.weight') ? 'keypointrcnn' : extra;
  if (find(tensors, SCORE_MAPS)) return `rfcn_${body}`;
  const map = inHeads ? 'c4' : singleMapOf(tensors);
  if (map !== undefined) return `${extra}_${body}_${map}`;
  if (find(tensors, 'roi_heads.mask_flow.1.weight')) return `htc_${body}_fpn`;
  if (find(tensors, FIRST_STAGE)) return `cascade_${extra === 'maskrcnn' ? 'maskrcnn' : 'rcnn'}_${body}_fpn`;
  if (find(tensors, 'roi_heads.mask_head.point_head.predictor.weight')) return `pointrend_${body}_fpn`;
  const second = find(tensors, 'roi_heads.box_head.5.weight') ? '_v2' : '';
  return `${task}_${body}_fpn${second}`;
}

function onVGG(tensors: TensorSource['tensors']): string | undefined {
  const body = vggNameOf((name) => find(tensors, `backbone.body.${name}`));
  return body && `${find(tensors, MASK_LOGITS) ? 'maskrcnn' : 'fasterrcnn'}_${body}`;
}

/**
 * The name of a detector on a MobileNet. torchvision's two have the same tensors, and which images they want is not in
 * the file; ours for small images has fewer channels.
 */
function onMobileNet(tensors: TensorSource['tensors']): string | undefined {
  if (mobileNetNameOf((name) => find(tensors, `backbone.body.${name}`)) !== 'mobilenet_v3_large') return undefined;
  if (!find(tensors, MASK_LOGITS)) return 'fasterrcnn_mobilenet_v3_large_fpn';
  const small = find(tensors, 'backbone.fpn.inner_blocks.0.0.weight')?.[0] === 128;
  return `maskrcnn_mobilenet_v3_large_${small ? '320_fpn' : 'fpn'}`;
}

const MASK_LOGITS = 'roi_heads.mask_predictor.mask_fcn_logits.weight';

/** What only an R-FCN has. */
const SCORE_MAPS = 'roi_heads.rfcn_cls.weight';

/** Score maps of each class: bins on a side, squared. */
const POSITIONS = 7 ** 2;

/** What only a C4 has. */
const RES5 = 'roi_heads.res5.0.conv1.weight';

/** Which map a detector without a pyramid stands on. */
function singleMapOf(tensors: TensorSource['tensors']): string | undefined {
  if (find(tensors, 'backbone.inner_block_module.weight')) return 'c5';
  return find(tensors, 'backbone.fpn.inner_blocks.0.0.weight') ? undefined : 'dc5';
}

function find(tensors: TensorSource['tensors'], name: string): readonly number[] | undefined {
  return tensors.get(name)?.shape;
}
