import {
  type Backbone,
  type Detection,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  type ImageInput,
  type ImageSize,
  type Losses,
  type LossOptions,
  Module,
  mergeLosses,
  type ParameterOwner,
  type Phase,
  type Pyramid,
  Random,
  type Target,
} from '@rcnn/core';
import { type ModelTransform, prepare, prepareToLearn } from '@rcnn/detector';
import type { RegionHeads, RoIs } from '@rcnn/roi-heads';
import type { Proposals, ProposalUse, RPNLosses, RPNOutputs } from '@rcnn/rpn-anchors';
import * as tf from '@tensorflow/tfjs-core';

/** The first stage: says where objects may be. `RegionProposalNetwork` is one. */
export interface ProposalNetwork extends ParameterOwner {
  forward(features: Pyramid, phase?: Phase): RPNOutputs;
  propose(
    outputs: RPNOutputs,
    sizes: readonly ImageSize[],
    paddedSize: ImageSize,
    use: ProposalUse,
  ): Promise<Proposals[]>;
  losses(outputs: RPNOutputs, gtBoxes: readonly Float32Array[], paddedSize: ImageSize, random?: Random): RPNLosses;
}

/** What a two-stage detector is made of. Each part can be somebody else's. */
export interface RCNNParts {
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly rpn: ProposalNetwork;
  readonly roiHeads: RegionHeads;
}

/** Where the second stage's parameters are. */
const HEADS = 'roi_heads.';

/**
 * The two-stage detector on one screen: transform, backbone, proposals, heads, and the way back. It neither knows nor
 * cares which parts it was given. Detecting and learning are two methods; there is no mode to set.
 *
 * `D` is what a detection surely has: whoever chooses the heads knows it.
 * @see Ren et al. 2015 (arXiv:1506.01497), figure 2; He et al. 2017 (arXiv:1703.06870)
 */
export class GeneralizedRCNN<D extends Detection = Detection> extends Module implements Detector<D> {
  readonly transform: ModelTransform;
  readonly backbone: Backbone;
  readonly rpn: ProposalNetwork;
  readonly roiHeads: RegionHeads;
  readonly spec: DetectorSpec;

  constructor({ transform, backbone, rpn, roiHeads }: RCNNParts) {
    super();
    this.transform = transform;
    this.backbone = this.register('backbone', backbone);
    this.rpn = this.register('rpn', rpn);
    this.roiHeads = this.register('roi_heads', roiHeads);
    this.spec = {
      ...roiHeads.spec,
      input: transform.input,
      isPredictor: (name) => name.startsWith(HEADS) && roiHeads.spec.isPredictor(name.slice(HEADS.length)),
    };
  }

  /**
   * Finds the objects of each image: boxes in pixels of that image, best score first, masks made when asked for.
   * Plain data; no tensor is left behind.
   * @throws IMAGE_INVALID naming image and pixel
   */
  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<D[][]> {
    const batch = await prepare('detect', this.transform, images);
    const sizes = batch.placements.map(({ size }) => size);
    const held: tf.Tensor[] = [batch.images];
    try {
      const features = this.backbone.forward(batch.images, 'predict');
      held.push(...features);
      batch.images.dispose(); // what is no longer needed goes at once: at full size each of these is 10 to 60 MB
      const outputs = this.rpn.forward(features, 'predict');
      held.push(...outputs.logits, ...outputs.deltas);
      const proposals = await this.rpn.propose(outputs, sizes, batch.paddedSize, 'test');
      tf.dispose([outputs.logits, outputs.deltas] as tf.TensorContainer);
      const found = await this.roiHeads.detect(features, proposals.map(asRoIs), sizes);
      return found.map((objects, i) => batch.placements[i]!.toImage(objects, options) as D[]);
    } finally {
      for (const tensor of held) tensor.dispose();
    }
  }

  /**
   * What the model should learn from these images, as scalars: `loss_classifier`, `loss_box_reg`, `loss_objectness`,
   * `loss_rpn_box_reg` and what other branches add (`loss_mask`). For gradients, call it inside `valueAndGradients`
   * of `@rcnn/core`; without a tape it is a validation loss. The caller disposes them.
   * @throws IMAGE_INVALID, TARGET_INVALID, NON_FINITE, BOX_DEGENERATE, LABEL_OUT_OF_RANGE, MASK_SIZE_MISMATCH
   */
  async losses(
    images: readonly ImageInput[],
    targets: readonly Target[],
    { phase = 'train', random = new Random(0) }: LossOptions = {},
  ): Promise<Losses> {
    const batch = await prepareToLearn('losses', this, images, targets, { phase, random });
    const sizes = batch.placements.map(({ size }) => size);
    const held: tf.Tensor[] = [batch.images];
    try {
      const features = this.backbone.forward(batch.images, phase);
      held.push(...features);
      const outputs = this.rpn.forward(features, phase);
      held.push(...outputs.logits, ...outputs.deltas);
      const proposals = await this.rpn.propose(outputs, sizes, batch.paddedSize, 'train');
      const gtBoxes = batch.targets.map(({ boxes }) => boxes);
      const first = this.rpn.losses(outputs, gtBoxes, batch.paddedSize, random);
      try {
        const boxes = proposals.map((proposal) => proposal.boxes);
        const second = await this.roiHeads.losses(features, boxes, batch.targets, { sizes, phase, random });
        return mergeLosses('losses', { roiHeads: second, rpn: { ...first } });
      } catch (error) {
        tf.dispose({ ...first });
        throw error;
      }
    } finally {
      for (const tensor of held) tensor.dispose(); // a tape keeps what it needs by itself
    }
  }
}

function asRoIs({ boxes, scores }: Proposals): RoIs {
  return { boxes, scores, labels: new Int32Array(scores.length) };
}
