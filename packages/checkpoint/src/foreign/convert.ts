import { quoteName, RcnnError } from '@rcnn/core/errors';
import { COCO_CLASSES } from '../pretrained/coco-classes.ts';
import { torchvisionProfile, type WeightsProfile } from '../profile.ts';
import { DETECTRON2, namesOfMmdetection, renamedBy } from '../programs/names.ts';
import { type Program, programOf, refuseCaffe2 } from '../programs/program.ts';
import { decodeFloats } from '../state-dict/decode.ts';
import { modelTensors, renamed, type SelectOptions } from '../state-dict/select.ts';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { denseOfPoints, lastRowFirst, zeroRowsBefore } from './rows.ts';

/** Whose pixels a body was trained on: Caffe's (BGR, 0 to 255, stride in the 1x1) or PyTorch's (RGB, 3x3). */
export type BodyStyle = 'caffe' | 'pytorch';

export interface ForeignOptions extends SelectOptions {
  /** Default what the file says, else what its program has by default. */
  readonly style?: BodyStyle | undefined;
}

/** A detector of another program under torchvision's names, in its order of classes. */
export interface Converted {
  readonly program: Program;
  readonly tensors: readonly TensorEntry[];
  readonly profile: WeightsProfile;
  /** Names of the file that were left out: constants of its program. */
  readonly dropped: readonly string[];
  /** What the file did not say and was taken for granted. */
  readonly assumed: string | undefined;
}

/**
 * A Mask or Faster R-CNN (ResNet with FPN, C4 or DC5), a PointRend, a Cascade of detectron2 or a Hybrid Task Cascade of
 * mmdetection as one of ours: torchvision's names, background first, and a profile that says how its images, strides
 * and regions are. Undefined for files of others. Shares the file: close it after writing.
 * @throws CHECKPOINT_MISMATCH naming the tensors that have no place in ours
 */
export async function convertForeign(
  source: TensorSource,
  options: ForeignOptions = {},
): Promise<Converted | undefined> {
  const model = modelTensors(source, options);
  refuseCaffe2(model);
  const program = programOf(model);
  if (program === undefined) return undefined;
  const { tensors, dropped, unknown } = rename(model, program);
  if (unknown.length > 0) {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where: source.name,
      place: quoteName(unknown[0]!),
      problem: `a model of ${program} with parts that ours has not`,
      found: `${unknown.length} tensors without a place: ${unknown
        .slice(0, 5)
        .map((name) => quoteName(name))
        .join(', ')}`,
      expected:
        'a Mask, Faster or Cascade R-CNN, a PointRend or a Hybrid Task Cascade, on a ResNet with an FPN, C4 or DC5',
    });
  }
  const { profile, assumed } = await profileOf(program, model, tensors, options);
  return { program, tensors: [...tensors.values()], profile, dropped, assumed };
}

function rename(model: TensorSource, program: Program) {
  const tensors = new Map<string, TensorEntry>();
  const dropped: string[] = [];
  const unknown: string[] = [];
  const names = program === 'detectron2' ? DETECTRON2 : namesOfMmdetection(model.tensors);
  for (const entry of model.tensors.values()) {
    const name = renamedBy(names, entry.name);
    if (name === undefined) unknown.push(entry.name);
    else if (name === null) dropped.push(entry.name);
    else tensors.set(name, withBackgroundFirst(renamed(entry, name)));
  }
  return { tensors, dropped, unknown };
}

/** Both programs number the background last, and have no boxes and masks of it. */
function withBackgroundFirst(entry: TensorEntry): TensorEntry {
  if (/box_predictor\.(?:\d\.)?cls_score\./.test(entry.name)) return lastRowFirst(entry);
  if (entry.name.includes('box_predictor.bbox_pred.')) return zeroRowsBefore(entry, 4); // a cascade's are of all classes
  if (entry.name.includes('mask_head.point_head.')) return denseOfPoints(entry); // of objects alone, like ours
  return /mask_predictor\.(?:\d\.)?mask_fcn_logits\./.test(entry.name) ? zeroRowsBefore(entry, 1) : entry;
}

/** Means and spreads of ImageNet for pixels of 0 to 255, as both programs write them. */
const PIXELS = {
  caffe: { order: 'bgr', mean: [103.53, 116.28, 123.675], std: [1, 1, 1] },
  pytorch: { order: 'rgb', mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
  // detectron2's ResNeXt bodies: BGR, but spread like PyTorch's.
  resnext: { order: 'bgr', mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
} as const;

async function profileOf(
  program: Program,
  model: TensorSource,
  tensors: ReadonlyMap<string, TensorEntry>,
  options: ForeignOptions,
): Promise<{ profile: WeightsProfile; assumed: string | undefined }> {
  const [width = 0, perGroup = 0] = tensors.get('backbone.body.layer1.0.conv2.weight')?.shape ?? [];
  const said = options.style ?? (program === 'mmdetection' ? styleInConfig(model) : undefined);
  const isResNeXt = program === 'detectron2' && width !== perGroup;
  const style = said ?? (isResNeXt ? 'pytorch' : 'caffe');
  const pixels = PIXELS[isResNeXt && said === undefined ? 'resnext' : style];
  const mean = (await numbers(model, 'pixel_mean')) ?? pixels.mean;
  const std = (await numbers(model, 'pixel_std')) ?? pixels.std;
  const scores = tensors.get('roi_heads.box_predictor.cls_score.weight') ?? tensors.get(FIRST_STAGE);
  const numClasses = scores?.shape[0] ?? 0;
  const share = (values: readonly number[]): [number, number, number] => [
    values[0]! / 255,
    values[1]! / 255,
    values[2]! / 255,
  ];
  const hasPyramid = tensors.has('backbone.fpn.inner_blocks.0.0.weight');
  const { options: ofPyramid, ...profile } = torchvisionProfile({
    source: program,
    options: {
      strideIn: style === 'caffe' ? '1x1' : '3x3',
      roiAlign: { aligned: true, samplingRatio: 0 },
      maskPaste: 'detectron2',
    },
    // detectron2 pads to a multiple of 32 for pyramids alone.
    input: {
      channelOrder: pixels.order,
      mean: share(mean),
      std: share(std),
      ...(hasPyramid ? {} : { sizeDivisor: 1 }),
    },
    numClasses,
    // Their labels are 0 to 79 in COCO's order; ours begin at 1.
    ...(numClasses === 81 ? { classes: COCO_CLASSES.map((entry, i) => ({ ...entry, label: i + 1 })) } : {}),
  });
  const assumed =
    program === 'mmdetection' && said === undefined
      ? 'the file does not say how its body was trained: taken for caffe style (BGR images, stride in the 1x1); if it is pytorch style, say so'
      : undefined;
  const { roiAlign: _, ...ofOneMap } = ofPyramid; // C4 and DC5 read their regions in one way alone
  const { maskPaste: __, ...ofHTC } = ofOneMap; // and an HTC lays its masks in one way alone
  const semanticClasses = tensors.get('roi_heads.semantic_head.conv_logits.weight')?.shape[0] ?? 0;
  const own = tensors.has(MASK_FLOW) ? { ...ofHTC, semanticClasses } : hasPyramid ? ofPyramid : ofOneMap;
  return { profile: { ...profile, options: own }, assumed };
}

/** What a Hybrid Task Cascade alone has. */
const MASK_FLOW = 'roi_heads.mask_flow.1.weight';

/** What cascades alone have. */
const FIRST_STAGE = 'roi_heads.box_predictor.0.cls_score.weight';

/** mmdetection keeps the text of its config beside the weights. */
function styleInConfig({ metadata }: TensorSource): BodyStyle | undefined {
  for (const key of ['meta.config', 'meta.cfg']) {
    const style = /style\s*=\s*['"](caffe|pytorch)['"]/.exec(metadata.get(key) ?? '')?.[1];
    if (style !== undefined) return style as BodyStyle;
  }
  return undefined;
}

/** Three numbers of a tensor, where the file has it. */
async function numbers({ tensors }: TensorSource, name: string): Promise<readonly number[] | undefined> {
  const entry = tensors.get(name);
  if (entry === undefined || entry.byteLength > 1024) return undefined;
  const values = decodeFloats(await entry.read(), entry.dtype);
  return values?.length === 3 && values.every((value) => Number.isFinite(value)) ? [...values] : undefined;
}
