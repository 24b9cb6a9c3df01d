import { quoteName, RcnnError } from '@rcnn/core/errors';
import { COCO_CLASSES } from '../pretrained/coco-classes.ts';
import { torchvisionProfile, type WeightsProfile } from '../profile.ts';
import { DETECTRON2, namesOfMmdetection, renamedBy } from '../programs/names.ts';
import { type Program, programOf, refuseCaffe2 } from '../programs/program.ts';
import { modelTensors, renamed, type SelectOptions } from '../state-dict/select.ts';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { anchorSizesOf } from './anchors.ts';
import { type BodyStyle, bodyOfFile } from './body.ts';
import { type ConfigNode, parseConfig } from './config-text.ts';
import { denseOfPoints, lastRowFirst, zeroRowsBefore } from './rows.ts';

export interface ForeignOptions extends SelectOptions {
  /** For what the file does not say of its body. Default what it says, else what its program has by default. */
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
 * and regions are, by the file's own words where it has them. Undefined for files of others. Shares the file: close it after writing.
 * @throws CHECKPOINT_MISMATCH naming the tensors that have no place in ours, or for anchors that ours cannot have
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

async function profileOf(
  program: Program,
  model: TensorSource,
  tensors: ReadonlyMap<string, TensorEntry>,
  { style }: ForeignOptions,
): Promise<{ profile: WeightsProfile; assumed: string | undefined }> {
  const [width = 0, perGroup = 0] = tensors.get('backbone.body.layer1.0.conv2.weight')?.shape ?? [];
  const config = program === 'mmdetection' ? configOf(model) : undefined;
  const hasPyramid = tensors.has('backbone.fpn.inner_blocks.0.0.weight');
  const body = await bodyOfFile(model, { program, config, isGrouped: width !== perGroup, style });
  const anchorSizes = await anchorSizesOf(model, { program, config, hasPyramid });
  const scores = tensors.get('roi_heads.box_predictor.cls_score.weight') ?? tensors.get(FIRST_STAGE);
  const numClasses = scores?.shape[0] ?? 0;
  const { options: ofPyramid, ...profile } = torchvisionProfile({
    source: program,
    options: {
      strideIn: body.strideIn,
      roiAlign: { aligned: true, samplingRatio: 0 },
      maskPaste: 'detectron2',
      ...(anchorSizes && { anchorSizes: [...anchorSizes] }),
    },
    // detectron2 pads to a multiple of 32 for pyramids alone.
    input: { ...body.input, ...(hasPyramid ? {} : { sizeDivisor: 1 }) },
    numClasses,
    // Their labels are 0 to 79 in COCO's order; ours begin at 1.
    ...(numClasses === 81 ? { classes: COCO_CLASSES.map((entry, i) => ({ ...entry, label: i + 1 })) } : {}),
  });
  const { roiAlign: _, ...ofOneMap } = ofPyramid; // C4 and DC5 read their regions in one way alone
  const { maskPaste: __, ...ofHTC } = ofOneMap; // and an HTC lays its masks in one way alone
  const semanticClasses = tensors.get('roi_heads.semantic_head.conv_logits.weight')?.shape[0] ?? 0;
  const own = tensors.has(MASK_FLOW) ? { ...ofHTC, semanticClasses } : hasPyramid ? ofPyramid : ofOneMap;
  return { profile: { ...profile, options: own }, assumed: body.assumed };
}

/** What a Hybrid Task Cascade alone has. */
const MASK_FLOW = 'roi_heads.mask_flow.1.weight';

/** What cascades alone have. */
const FIRST_STAGE = 'roi_heads.box_predictor.0.cls_score.weight';

/** mmdetection keeps the text of its config beside the weights: 3.x as `cfg`, 2.x as `config`. */
function configOf({ metadata }: TensorSource): ConfigNode | undefined {
  const text = metadata.get('meta.cfg') ?? metadata.get('meta.config');
  return text === undefined || text.trim() === '' ? undefined : parseConfig(text);
}
