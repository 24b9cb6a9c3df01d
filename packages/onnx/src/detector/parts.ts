import { BoxCoder } from '@rcnn/boxes';
import {
  type Backbone,
  type Detector,
  type InputSpec,
  RcnnError,
  type ToGraph,
  type WritableBackbone,
  writable,
} from '@rcnn/core';
import type { PasteMode } from '@rcnn/masks';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import {
  BoxBranch,
  type BoxHead,
  type BoxPredictor,
  MaskBranch,
  type MaskHead,
  type MaskPredictor,
  type RoIBranch,
  RoIHeads,
  type WritableBoxPredictor,
  type WritableMaskPredictor,
} from '@rcnn/roi-heads';
import { type ProposalHead, RegionProposalNetwork, type WritableProposalHead } from '@rcnn/rpn-anchors';
import { GeneralizedRCNN } from '@rcnn/two-stage';
import type { DetectionRules } from './detect.ts';
import type { ProposalSource } from './propose.ts';

/** A two-stage detector as the parts that graphs are written from. */
export interface WritableParts {
  readonly input: InputSpec & { readonly resize: { readonly rule: 'torchvision' } };
  readonly backbone: Backbone & WritableBackbone;
  readonly rpn: ProposalSource & { readonly head: ProposalHead & WritableProposalHead };
  readonly box: {
    readonly pool: MultiScaleRoIAlign;
    readonly head: BoxHead & ToGraph;
    readonly predictor: BoxPredictor & WritableBoxPredictor;
    readonly rules: DetectionRules;
  };
  /** Undefined in a detector of boxes alone. */
  readonly mask:
    | {
        readonly pool: MultiScaleRoIAlign;
        readonly head: MaskHead & ToGraph;
        readonly predictor: MaskPredictor & WritableMaskPredictor;
        readonly paste: PasteMode;
      }
    | undefined;
}

/**
 * The parts of a detector, if a graph can say what they do.
 * @throws EXPORT_UNSUPPORTED naming the part that is another
 */
export function writableParts(model: Detector): WritableParts {
  if (!(model instanceof GeneralizedRCNN)) throw unsupported('model', model, 'a Faster or Mask R-CNN');
  const { transform, backbone, rpn, roiHeads } = model;
  const { resize } = transform.input;
  if (resize.rule !== 'torchvision') {
    throw unsupported('transform', resize.rule, "torchvision's rule of resizing");
  }
  if (!(rpn instanceof RegionProposalNetwork)) throw unsupported('rpn', rpn, 'a RegionProposalNetwork');
  if (!(roiHeads instanceof RoIHeads)) throw unsupported('roiHeads', roiHeads, 'RoIHeads with a box and a mask branch');
  const { lattice } = rpn.anchorGenerator;
  if (lattice === undefined) throw unsupported('rpnAnchorGenerator', rpn.anchorGenerator, "anchors with a 'lattice'");
  const { box, mask } = branchesOf(roiHeads);
  return {
    input: { ...transform.input, resize },
    backbone: writable<Backbone, WritableBackbone>(backbone),
    rpn: {
      head: writable<ProposalHead, WritableProposalHead>(rpn.head),
      lattice,
      coder: coderOf('rpnBoxCoder', rpn.coder),
      rules: rpn.rules('test'),
    },
    box: boxParts(box),
    mask: mask && maskParts(mask),
  };
}

/** A box branch, then perhaps a mask branch: nothing else is written. */
function branchesOf({ branches }: RoIHeads): { box: BoxBranch; mask: MaskBranch | undefined } {
  const [box, mask, more] = Object.values(branches) as (RoIBranch | undefined)[];
  if (!(box instanceof BoxBranch)) throw unsupported('branches', box, 'a BoxBranch first');
  if (mask !== undefined && !(mask instanceof MaskBranch)) throw unsupported('branches', mask, 'a MaskBranch second');
  if (more !== undefined) throw unsupported('branches', more, 'a box and a mask branch');
  return { box, mask };
}

function boxParts({ parts: { pool, head, predictor }, rules }: BoxBranch): WritableParts['box'] {
  const written = writable<BoxPredictor, WritableBoxPredictor>(predictor);
  const { numClasses, classAgnostic } = written;
  return {
    pool: poolOf('boxRoiPool', pool),
    head: writable(head),
    predictor: written,
    rules: { ...rules, coder: coderOf('boxCoder', rules.coder), numClasses, classAgnostic },
  };
}

function maskParts({ parts: { pool, head, predictor }, paste }: MaskBranch): NonNullable<WritableParts['mask']> {
  return {
    pool: poolOf('maskRoiPool', pool),
    head: writable(head),
    predictor: writable<MaskPredictor, WritableMaskPredictor>(predictor),
    paste,
  };
}

function poolOf(place: string, pool: object): MultiScaleRoIAlign {
  if (pool instanceof MultiScaleRoIAlign) return pool;
  throw unsupported(place, pool, 'a MultiScaleRoIAlign');
}

function coderOf(place: string, coder: object): BoxCoder {
  if (coder instanceof BoxCoder) return coder;
  throw unsupported(place, coder, 'a BoxCoder');
}

function unsupported(place: string, found: unknown, expected: string): RcnnError {
  const name = typeof found === 'object' && found !== null ? found.constructor.name : String(found);
  return new RcnnError('EXPORT_UNSUPPORTED', {
    where: 'export',
    place,
    problem: 'this kind of model cannot be written as ONNX',
    found: name,
    expected,
  });
}
