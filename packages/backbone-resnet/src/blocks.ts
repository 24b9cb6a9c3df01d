import {
  addRelu,
  Conv2d,
  ConvNorm,
  DeformConv2d,
  type GraphBuilder,
  type GraphValue,
  type Layer,
  Module,
  type Norm,
  type NormFactory,
  type Phase,
  type Random,
  RcnnError,
  type ToGraph,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface BlockOptions {
  readonly inChannels: number;
  /** Channels of the 3x3 convolutions before widening. */
  readonly planes: number;
  /** 2 in the first block of every stage but the first. */
  readonly stride: number;
  /** Cells between those that a 3x3 convolution reads: 2 keeps its reach where a stage does not stride. Default 1. */
  readonly dilation?: number | undefined;
  readonly groups: number;
  readonly widthPerGroup: number;
  /** Which convolution of a bottleneck carries the stride. */
  readonly strideIn: '3x3' | '1x1';
  /** Whether the 3x3 convolution of a bottleneck moves and weighs its taps, as YOLACT++'s do. Default false. */
  readonly deformable?: boolean | undefined;
  readonly norm: NormFactory;
  readonly random: Random | undefined;
}

/** A residual block: `relu(residual(x) + shortcut(x))`. `[N, H, W, I]` to `[N, ceil(H / stride), …, O]`. */
export type ResidualBlock = Layer & ToGraph & { readonly outChannels: number };

/** What both kinds of block share: naming, folding and the shortcut. @see He et al. 2015, section 3.2 */
abstract class Residual extends Module implements ResidualBlock {
  abstract readonly outChannels: number;
  readonly #folds: ConvNorm[] = [];

  abstract forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D;
  abstract toGraph(graph: GraphBuilder, x: GraphValue): GraphValue;

  override dispose(): void {
    for (const fold of this.#folds) fold.dispose();
    super.dispose();
  }

  /** Registers a convolution and its norm under torchvision's names and gives them as one. */
  protected convNorm(
    names: readonly [conv: string, norm: string],
    conv: Conv2d,
    norm: NormFactory,
    outChannels: number,
    activation: 'relu' | 'linear',
  ): ConvNorm {
    const fold = new ConvNorm(this.register(names[0], conv), this.register(names[1], norm(outChannels)), activation);
    this.#folds.push(fold);
    return fold;
  }

  /** A 1x1 projection where the shape changes; undefined where the input can be added as it is. */
  protected shortcut({ inChannels, stride, norm, random }: BlockOptions, outChannels: number): ConvNorm | undefined {
    if (stride === 1 && inChannels === outChannels) return undefined;
    const conv = new Conv2d(inChannels, outChannels, { kernelSize: 1, stride, bias: false, random });
    return this.convNorm(['downsample.0', 'downsample.1'], conv, norm, outChannels, 'linear');
  }
}

/** A deformable convolution, its norm and ReLU, one after the other. The parts are registered by the block. */
class DeformNorm {
  readonly #conv: DeformConv2d;
  readonly #norm: Norm;

  constructor(conv: DeformConv2d, norm: Norm) {
    this.#conv = conv;
    this.#norm = norm;
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => tf.relu(this.#norm.forward(this.#conv.forward(x), phase)));
  }

  /** @throws EXPORT_UNSUPPORTED */
  toGraph(): GraphValue {
    throw new RcnnError('EXPORT_UNSUPPORTED', {
      where: 'ResNet.toGraph',
      place: 'DeformConv2d',
      problem: 'a deformable convolution cannot be written as a graph yet',
    });
  }

  dispose(): void {}
}

/** Two 3x3 convolutions: ResNet-18 and 34. */
export class BasicBlock extends Residual {
  readonly outChannels: number;
  readonly #first: ConvNorm;
  readonly #second: ConvNorm;
  readonly #shortcut: ConvNorm | undefined;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, planes, stride, dilation = 1, norm, random } = options;
    this.outChannels = planes;
    const first = new Conv2d(inChannels, planes, { kernelSize: 3, stride, dilation, bias: false, random });
    this.#first = this.convNorm(['conv1', 'bn1'], first, norm, planes, 'relu');
    const second = new Conv2d(planes, planes, { kernelSize: 3, dilation, bias: false, random });
    this.#second = this.convNorm(['conv2', 'bn2'], second, norm, planes, 'linear');
    this.#shortcut = this.shortcut(options, planes);
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const y = this.#first.forward(x, phase);
      const residual = this.#second.forward(y, phase);
      y.dispose();
      return addRelu(residual, this.#shortcut?.forward(x, phase) ?? x);
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const residual = this.#second.toGraph(graph, this.#first.toGraph(graph, x));
    return graph.relu(graph.add(residual, this.#shortcut?.toGraph(graph, x) ?? x));
  }
}

/** 1x1 to narrow, 3x3, 1x1 to widen: ResNet-50 and deeper, ResNeXt, Wide ResNet. */
export class Bottleneck extends Residual {
  static readonly expansion = 4;
  readonly outChannels: number;
  readonly #narrow: ConvNorm;
  readonly #middle: Pick<ConvNorm, 'forward' | 'toGraph' | 'dispose'>;
  readonly #widen: ConvNorm;
  readonly #shortcut: ConvNorm | undefined;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, planes, stride, dilation = 1, groups, widthPerGroup, strideIn, norm, random } = options;
    const width = Math.floor((planes * widthPerGroup) / 64) * groups;
    this.outChannels = planes * Bottleneck.expansion;
    // The paper strides in the first 1x1 and skips three cells of four; "v1.5" moved it to the 3x3 (+0.5 % top-1).
    const [narrowStride, middleStride] = strideIn === '3x3' ? [1, stride] : [stride, 1];
    const narrow = new Conv2d(inChannels, width, { kernelSize: 1, stride: narrowStride, bias: false, random });
    this.#narrow = this.convNorm(['conv1', 'bn1'], narrow, norm, width, 'relu');
    const reach = { kernelSize: 3, stride: middleStride, dilation, groups };
    if (options.deformable === true) {
      const places = new DeformConv2d(width, width, { kernelSize: 3, stride: middleStride, random });
      this.#middle = new DeformNorm(this.register('conv2', places), this.register('bn2', norm(width)));
    } else {
      const middle = new Conv2d(width, width, { ...reach, bias: false, random });
      this.#middle = this.convNorm(['conv2', 'bn2'], middle, norm, width, 'relu');
    }
    const widen = new Conv2d(width, this.outChannels, { kernelSize: 1, bias: false, random });
    this.#widen = this.convNorm(['conv3', 'bn3'], widen, norm, this.outChannels, 'linear');
    this.#shortcut = this.shortcut(options, this.outChannels);
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const narrow = this.#narrow.forward(x, phase);
      const middle = this.#middle.forward(narrow, phase);
      narrow.dispose(); // a tape keeps what it needs by itself
      const residual = this.#widen.forward(middle, phase);
      middle.dispose();
      return addRelu(residual, this.#shortcut?.forward(x, phase) ?? x);
    });
  }

  toGraph(graph: GraphBuilder, x: GraphValue): GraphValue {
    const middle = this.#middle.toGraph(graph, this.#narrow.toGraph(graph, x));
    return graph.relu(graph.add(this.#widen.toGraph(graph, middle), this.#shortcut?.toGraph(graph, x) ?? x));
  }
}
