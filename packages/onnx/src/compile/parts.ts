import { type Backbone, type Detector, RcnnError, type WritableBackbone, writable } from '@rcnn/core';
import type { ModelTransform } from '@rcnn/detector';
import { CascadeHeads, RoIHeads } from '@rcnn/roi-heads';
import { type ProposalHead, RegionProposalNetwork, type WritableProposalHead } from '@rcnn/rpn-anchors';
import { GeneralizedRCNN } from '@rcnn/two-stage';

/** A two-stage detector as the parts that compiling knows. */
export interface CompilableParts {
  readonly transform: ModelTransform;
  readonly backbone: Backbone & WritableBackbone;
  readonly rpn: RegionProposalNetwork;
  readonly proposalHead: ProposalHead & WritableProposalHead;
  readonly roiHeads: RoIHeads | CascadeHeads;
}

/**
 * The parts of a detector that can be compiled. What its layers can say shows when they are written.
 * @throws EXPORT_UNSUPPORTED naming the part that is another
 */
export function compilableParts(model: Detector): CompilableParts {
  if (!(model instanceof GeneralizedRCNN)) throw cannotCompile('model', model, 'a two-stage detector');
  const { transform, backbone, rpn, roiHeads } = model;
  if (!(rpn instanceof RegionProposalNetwork)) throw cannotCompile('rpn', rpn, 'a RegionProposalNetwork');
  if (!(roiHeads instanceof RoIHeads || roiHeads instanceof CascadeHeads)) {
    throw cannotCompile('roiHeads', roiHeads, 'RoIHeads or CascadeHeads');
  }
  return {
    transform,
    backbone: writable<Backbone, WritableBackbone>(backbone),
    rpn,
    proposalHead: writable<ProposalHead, WritableProposalHead>(rpn.head),
    roiHeads,
  };
}

export function cannotCompile(place: string, found: object, expected: string): RcnnError {
  return new RcnnError('EXPORT_UNSUPPORTED', {
    where: 'compile',
    place,
    problem: 'this part cannot be compiled',
    found: found.constructor.name,
    expected,
    hint: 'The model predicts without being compiled, too.',
  });
}
