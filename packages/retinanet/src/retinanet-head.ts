import {
  Conv2d,
  ConvNorm,
  constant,
  type Initialiser,
  Module,
  type NormFactory,
  normal,
  type Phase,
  type Pyramid,
  type Random,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';

export interface RetinaNetHeadOptions {
  /** Of every level. */
  readonly inChannels: number;
  /** Of a cell. */
  readonly anchorsPerCell: number;
  /** Background included; it has a logit too, which nothing teaches to rise. */
  readonly numClasses: number;
  /** Convolutions of each branch. Default 4. */
  readonly depth?: number | undefined;
  /** A norm after each of them, which then has no bias: torchvision's v2 has group norms. Default none. */
  readonly norm?: NormFactory | undefined;
  /** First weights of all but the last convolution of each branch. Default normal with deviation 0.01. */
  readonly initialiser?: Initialiser | undefined;
  readonly random?: Random | undefined;
}

/** What is said of every anchor. A anchors in the order level, row, column, anchor of the cell. */
export interface RetinaNetOutputs {
  /** `[N, A, numClasses]` */
  readonly logits: tf.Tensor3D;
  /** `[N, A, 4]` */
  readonly deltas: tf.Tensor3D;
}

/** How probable any class is at first: nearly all anchors are background, which must not drown the others. */
const PRIOR = 0.01;

/** Published: section 4.1 of the paper. */
const FIRST_WEIGHTS = normal(0.01);

/** The two branches of a head, for all levels. */
interface Branch {
  readonly convs: readonly { forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D }[];
  readonly last: Conv2d;
}

/**
 * Two branches of 3x3 convolutions with ReLU, for classes and for boxes, the same on all levels. Parameters carry
 * torchvision's names: `classification_head.conv.{i}.0`, `.cls_logits`, `regression_head.conv.{i}.0`, `.bbox_reg`.
 * @see Lin et al. 2017, section 4 and figure 3 (arXiv:1708.02002)
 */
export class RetinaNetHead extends Module {
  readonly numClasses: number;
  readonly anchorsPerCell: number;
  readonly #classes: Branch;
  readonly #boxes: Branch;
  readonly #folds: ConvNorm[] = [];

  constructor(options: RetinaNetHeadOptions) {
    super();
    const { anchorsPerCell, numClasses } = options;
    this.numClasses = numClasses;
    this.anchorsPerCell = anchorsPerCell;
    const bias = constant(-Math.log((1 - PRIOR) / PRIOR));
    this.#classes = this.#branch('classification_head', 'cls_logits', anchorsPerCell * numClasses, {
      ...options,
      bias,
    });
    this.#boxes = this.#branch('regression_head', 'bbox_reg', anchorsPerCell * 4, { ...options, bias: constant(0) });
  }

  #branch(
    name: string,
    last: string,
    outChannels: number,
    {
      inChannels,
      depth = 4,
      norm,
      initialiser = FIRST_WEIGHTS,
      bias: biasInitialiser,
      random,
    }: RetinaNetHeadOptions & { bias: Initialiser },
  ): Branch {
    const settings = { kernelSize: 3, initialiser, random };
    const lastSettings = { ...settings, initialiser: FIRST_WEIGHTS, biasInitialiser };
    const convs = Array.from({ length: depth }, (_, i): Branch['convs'][number] => {
      const at = `${name}.conv.${i}`;
      if (norm === undefined) {
        return this.register(`${at}.0`, new Conv2d(inChannels, inChannels, { ...settings, activation: 'relu' }));
      }
      const conv = this.register(`${at}.0`, new Conv2d(inChannels, inChannels, { ...settings, bias: false }));
      const fold = new ConvNorm(conv, this.register(`${at}.1`, norm(inChannels)), 'relu');
      this.#folds.push(fold);
      return fold;
    });
    return {
      convs,
      last: this.register(`${name}.${last}`, new Conv2d(inChannels, outChannels, lastSettings)),
    };
  }

  /** The caller owns what comes out. */
  forward(levels: Pyramid, phase: Phase = 'predict'): RetinaNetOutputs {
    const all = ({ convs, last }: Branch): tf.Tensor3D =>
      tf.concat(
        levels.map((level) => {
          const map = last.forward(convs.reduce((below, conv) => conv.forward(below, phase), level));
          const [count, , , channels] = map.shape;
          return tf.reshape(map, [count, -1, channels / this.anchorsPerCell]) as tf.Tensor3D;
        }),
        1,
      );
    return tf.tidy(() => ({ logits: all(this.#classes), deltas: all(this.#boxes) }));
  }

  override dispose(): void {
    for (const fold of this.#folds) fold.dispose();
    super.dispose();
  }
}
