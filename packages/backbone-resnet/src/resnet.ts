import {
  type Backbone,
  type BackboneStep,
  BatchNorm,
  type BatchNormFactory,
  Conv2d,
  ConvNorm,
  type FeatureSpec,
  FrozenBatchNorm,
  forwardThrough,
  type GraphBuilder,
  type GraphValue,
  GroupNorm,
  graphThrough,
  type Layer,
  Module,
  maxPool2d,
  type Norm,
  type NormFactory,
  type Parameter,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
  type ToGraph,
} from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import { BasicBlock, Bottleneck } from './blocks.ts';
import { type ResNetDepth, type ResNetShape, resnetOfDepth } from './variants.ts';

/** Which norm follows each convolution; `frozen` and `batch` have the same four vectors in a checkpoint. */
export type NormChoice = 'frozen' | 'batch' | 'group' | NormFactory;

export interface ResNetOptions extends Partial<ResNetShape> {
  /** Blocks by depth; or give a shape (see `resnets`). Default 50. */
  readonly depth?: ResNetDepth;
  /** Channels of the 3x3 convolutions of each stage. Default 64, 128, 256, 512. */
  readonly planes?: readonly number[];
  /** Channels of the stem. Default 64. */
  readonly stemChannels?: number;
  /** Default `frozen`: for fine-tuning from a pretrained network with small batches. */
  readonly norm?: NormChoice;
  /** Of the named norms. Default 1e-5; torchvision's published v1 COCO weights want 0. */
  readonly normEpsilon?: number | undefined;
  /** Makes the norms of `batch`. Default `BatchNorm`; processes that train together can share theirs. */
  readonly batchNorm?: BatchNormFactory | undefined;
  /** Where a bottleneck strides: `3x3` as torchvision, `1x1` as the paper and detectron2. Default `3x3`. */
  readonly strideIn?: '3x3' | '1x1' | undefined;
  /** Stages to hand out: 0 is the stem before its pool (stride 2), 1–4 the residual stages. Default all but the stem. */
  readonly outputStages?: readonly number[];
  /**
   * Stages (2 to 4) that read every second cell instead of striding, so that their maps stay as fine as those of the
   * stage before: `[4]` is detectron2's DC5. Default none.
   */
  readonly dilatedStages?: readonly number[] | undefined;
  /** Stages whose bottlenecks have deformable 3x3 convolutions, as YOLACT++ has them in 2 to 4. Default none. */
  readonly deformableStages?: readonly number[] | undefined;
  /** Of those stages every so many blocks has one, the first with it. Default 1. */
  readonly deformableInterval?: number | undefined;
  /** How many stages learn, counted from the top: 4 leaves the stem, 5 nothing frozen. Default 5. */
  readonly trainableStages?: number | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/**
 * Deep residual network, as a backbone. Shapes: images `[N, H, W, 3]`, normalised as its weights ask for; stage `i`
 * gives `[N, ceil(H / 2^(i+1)), ceil(W / 2^(i+1)), Ci]`. Parameters carry torchvision's names (`layer1.0.conv1.weight`).
 * @see He et al. 2015 (arXiv:1512.03385)
 */
export class ResNet extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  readonly #stem: Stem;
  readonly #steps: BackboneStep<Layer & ToGraph>[] = [];

  constructor(options: ResNetOptions = {}) {
    super();
    const shape = { ...resnetOfDepth(options.depth ?? 50), ...options };
    const { blocks, groups = 1, widthPerGroup = 64, strideIn = '3x3', random } = shape;
    const { planes = [64, 128, 256, 512], stemChannels = 64, trainableStages = 5 } = shape;
    const {
      outputStages = blocks.map((_, i) => i + 1),
      dilatedStages = [],
      deformableStages = [],
      deformableInterval = 1,
    } = shape;
    checkOptions({ blocks, planes, outputStages, trainableStages });
    checkDeformable(deformableStages, { ...shape, dilatedStages });
    const norm = normFactory(shape.norm ?? 'frozen', shape.normEpsilon ?? 1e-5, shape.batchNorm);
    const Block = shape.block === 'basic' ? BasicBlock : Bottleneck;

    const stages = [...outputStages].sort((a, b) => a - b);
    const stem = new Stem(stemChannels, norm, random);
    this.#stem = stem;
    this.register('conv1', stem.conv);
    this.register('bn1', stem.norm);
    this.#steps.push({ layer: stem, isOutput: stages.includes(0) });
    const channels = [stemChannels];
    const strides = [2];
    let dilation = 1;
    for (let stage = 1; stage <= stages.at(-1)!; stage++) {
      if (stage === 1) this.#steps.push({ layer: stemPool, isOutput: false });
      const dilated = dilatedStages.includes(stage);
      if (dilated) dilation *= 2;
      strides.push(strides.at(-1)! * (dilated ? 1 : 2));
      let inChannels = channels.at(-1)!;
      for (let b = 0; b < blocks[stage - 1]!; b++) {
        const stride = b === 0 && stage > 1 && !dilated ? 2 : 1;
        const place = { inChannels, planes: planes[stage - 1]!, stride, dilation };
        const deformable = deformableStages.includes(stage) && b % deformableInterval === 0;
        const block = new Block({ ...place, groups, widthPerGroup, strideIn, deformable, norm, random });
        this.register(`layer${stage}.${b}`, block);
        this.#steps.push({ layer: block, isOutput: b === blocks[stage - 1]! - 1 && stages.includes(stage) });
        inChannels = block.outChannels;
      }
      channels.push(inChannels);
    }
    this.outputs = stages.map((stage) => ({ stride: strides[stage]!, channels: channels[stage]! }));
    this.#freeze(trainableStages);
  }

  /** Maps `[N, H, W, 3]` to the chosen stages, finest first. The caller owns them. */
  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    return forwardThrough('ResNet.forward', this.#steps, images, phase);
  }

  /** The chosen stages, finest first. */
  toGraph(graph: GraphBuilder, image: GraphValue): GraphValue[] {
    return graphThrough(this.#steps, graph, image);
  }

  override dispose(): void {
    this.#stem.dispose();
    super.dispose();
  }

  /** torchvision's rule: stages learn from the top; the fifth is the stem's convolution and its norm. */
  #freeze(trainableStages: number): void {
    const learns = (part: string): boolean => {
      if (part === 'conv1' || part === 'bn1') return trainableStages >= 5;
      return Number(part.slice('layer'.length)) > 4 - trainableStages;
    };
    for (const [name, parameter] of this.namedParameters()) parameter.trainable = learns(name.split('.')[0]!);
  }
}

/** 7x7 of stride 2, norm, ReLU. Its parts are registered by the network, under torchvision's names. */
class Stem implements Layer, ToGraph {
  readonly conv: Conv2d;
  readonly norm: Norm;
  readonly #fold: ConvNorm;

  constructor(channels: number, norm: NormFactory, random: Random | undefined) {
    this.conv = new Conv2d(3, channels, { kernelSize: 7, stride: 2, bias: false, random });
    this.norm = norm(channels);
    this.#fold = new ConvNorm(this.conv, this.norm, 'relu');
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return this.#fold.forward(x, phase);
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    return this.#fold.toGraph(graph, x);
  }

  namedParameters(): Map<string, Parameter> {
    return new Map([...this.conv.namedParameters('conv1.'), ...this.norm.namedParameters('bn1.')]);
  }

  /** Frees what was folded; convolution and norm belong to the network. */
  dispose(): void {
    this.#fold.dispose();
  }
}

const STEM_POOL = { kernelSize: 3, stride: 2, padding: 1 };

const stemPool: Layer & ToGraph = {
  forward: (x) => maxPool2d(x, STEM_POOL),
  toGraph: (graph, x) => graph.maxPool(x, STEM_POOL),
  namedParameters: () => new Map(),
  dispose: () => {},
};

/** Basic blocks, groups and dilation have no deformable form here. */
function checkDeformable(
  stages: readonly number[],
  { block, groups = 1, dilatedStages = [] }: Pick<ResNetOptions, 'block' | 'groups' | 'dilatedStages'>,
): void {
  if (stages.length === 0 || (block !== 'basic' && groups === 1 && dilatedStages.length === 0)) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'ResNet',
    place: 'deformableStages',
    problem: 'only bottlenecks of one group without dilation can be deformable',
    found: `block ${block ?? 'bottleneck'}, ${groups} groups, dilated stages [${dilatedStages.join(', ')}]`,
  });
}

/**
 * The factory of a norm by name; a factory is handed back.
 * @param batchNorm makes those of `batch`. Default `BatchNorm`
 */
export function normFactory(
  choice: NormChoice,
  epsilon: number,
  batchNorm: BatchNormFactory = (channels, options) => new BatchNorm(channels, options),
): NormFactory {
  if (typeof choice === 'function') return choice;
  switch (choice) {
    case 'frozen':
      return (channels) => new FrozenBatchNorm(channels, { epsilon });
    case 'batch':
      return (channels) => batchNorm(channels, { epsilon });
    case 'group':
      return (channels) => new GroupNorm(channels, { epsilon });
    default:
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'ResNet',
        place: 'norm',
        problem: 'no such norm',
        found: String(choice),
        expected: "'frozen', 'batch', 'group' or a function of the channels",
      });
  }
}

function checkOptions(options: {
  blocks: readonly number[];
  planes: readonly number[];
  outputStages: readonly number[];
  trainableStages: number;
}): void {
  const { blocks, planes, outputStages, trainableStages } = options;
  const count = (n: number): boolean => Number.isInteger(n) && n >= 1;
  const isStage = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= blocks.length;
  const wrong = (place: string, found: unknown, expected: string): RcnnError =>
    new RcnnError('INVALID_ARGUMENT', {
      where: 'ResNet',
      place,
      problem: 'not usable',
      found: JSON.stringify(found),
      expected,
    });
  if (blocks.length === 0 || !blocks.every(count)) throw wrong('blocks', blocks, 'one block or more in every stage');
  if (planes.length < blocks.length || !planes.every(count)) throw wrong('planes', planes, `${blocks.length} numbers`);
  if (outputStages.length === 0 || !outputStages.every(isStage) || new Set(outputStages).size < outputStages.length) {
    throw wrong('outputStages', outputStages, `different stages from 0 to ${blocks.length}`);
  }
  if (!(Number.isInteger(trainableStages) && trainableStages >= 0 && trainableStages <= 5)) {
    throw wrong('trainableStages', trainableStages, '0 to 5');
  }
}
