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
  type Layer,
  Module,
  maxPool2d,
  type Parameter,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { convolutionsOfDepth, type VGGDepth } from './variants.ts';

export interface VGGOptions {
  /** Default 16, the network of Faster R-CNN's paper. */
  readonly depth?: VGGDepth | undefined;
  /** After every convolution; `frozen` and `batch` read torchvision's `vgg16_bn`. Default `none`. */
  readonly norm?: 'none' | 'frozen' | 'batch' | undefined;
  /** Makes the norms of `batch`. Default `BatchNorm`; processes that train together can share theirs. */
  readonly batchNorm?: BatchNormFactory | undefined;
  /** Channels of each stage. Default 64, 128, 256, 512, 512. */
  readonly channels?: readonly number[] | undefined;
  /** Stages to hand out, 1 to 5, each before its pool: stage `i` has stride `2^(i-1)`. Default the fifth, stride 16. */
  readonly outputStages?: readonly number[] | undefined;
  /** How many stages learn, counted from the top: 3 leaves conv1 and conv2 as they are, as the paper does. Default 5. */
  readonly trainableStages?: number | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

const usualNorm: BatchNormFactory = (channels, options) => new BatchNorm(channels, options);

/** A convolution with its ReLU, and with its norm if it has one. */
interface Convolution {
  readonly forward: (x: tf.Tensor4D, phase?: Phase) => tf.Tensor4D;
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/**
 * VGG as a backbone: stages of 3x3 convolutions with ReLU, a 2x2 pool between them. Shapes: images `[N, H, W, 3]`,
 * normalized as its weights ask for; stage `i` gives `[N, floor(H / 2^(i-1)), floor(W / 2^(i-1)), Ci]`, rounded down at
 * each pool. Parameters carry torchvision's names (`features.28.weight`), so its classifiers' files load by name.
 * @see Simonyan and Zisserman 2014 (arXiv:1409.1556); Ren et al. 2015, section 3 (arXiv:1506.01497)
 */
export class VGG extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  readonly #steps: readonly BackboneStep[];
  readonly #folds: ConvNorm[] = [];

  constructor(options: VGGOptions = {}) {
    super();
    const { channels = [64, 128, 256, 512, 512], outputStages = [5], trainableStages = 5 } = options;
    const convolutions = convolutionsOfDepth(options.depth ?? 16);
    checkOptions({ channels, outputStages, trainableStages });
    const last = Math.max(...outputStages);
    const steps: BackboneStep[] = [];
    let inChannels = 3;
    let place = 0; // in torchvision's `features`, where ReLU, norm and pool count too
    for (let number = 1; number <= last; number++) {
      const outChannels = channels[number - 1]!;
      const made: Convolution[] = [];
      for (let i = 0; i < convolutions[number - 1]!; i++) {
        const convolution = this.#convolution(place, inChannels, outChannels, options);
        made.push(convolution);
        place += convolution.places;
        inChannels = outChannels;
      }
      place++; // the pool
      const layer = new Stage(made, { pools: number > 1 });
      for (const parameter of layer.namedParameters().values()) {
        parameter.trainable = parameter.learnable && number > 5 - trainableStages;
      }
      steps.push({ layer, isOutput: outputStages.includes(number) });
    }
    this.#steps = steps;
    this.outputs = [...outputStages]
      .sort((a, b) => a - b)
      .map((stage) => ({ stride: 2 ** (stage - 1), channels: channels[stage - 1]! }));
  }

  /** Maps `[N, H, W, 3]` to the chosen stages, finest first. The caller owns them. */
  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    return forwardThrough('VGG.forward', this.#steps, images, phase);
  }

  override dispose(): void {
    for (const fold of this.#folds) fold.dispose();
    super.dispose();
  }

  /** A convolution at a place of `features`, and how many places it takes: with its ReLU, and its norm if it has one. */
  #convolution(
    place: number,
    inChannels: number,
    outChannels: number,
    { norm = 'none', batchNorm = usualNorm, random }: VGGOptions,
  ): Convolution & { readonly places: number } {
    const activation = norm === 'none' ? ('relu' as const) : ('linear' as const);
    const conv = new Conv2d(inChannels, outChannels, { kernelSize: 3, activation, random });
    const name = `features.${place}`;
    this.register(name, conv);
    const parameters = conv.namedParameters(`${name}.`);
    if (norm === 'none') return { forward: (x) => conv.forward(x), parameters, places: 2 };
    const following = norm === 'batch' ? batchNorm(outChannels) : new FrozenBatchNorm(outChannels);
    const nameOfNorm = `features.${place + 1}`;
    this.register(nameOfNorm, following);
    const fold = new ConvNorm(conv, following, 'relu');
    this.#folds.push(fold);
    return {
      forward: (x, phase) => fold.forward(x, phase),
      parameters: new Map([...parameters, ...following.namedParameters(`${nameOfNorm}.`)]),
      places: 3,
    };
  }
}

/** The pool before a stage, and its convolutions. They belong to the network, which registers them under its own names. */
class Stage implements Layer {
  readonly #convolutions: readonly Convolution[];
  readonly #pools: boolean;

  constructor(convolutions: readonly Convolution[], { pools }: { readonly pools: boolean }) {
    this.#convolutions = convolutions;
    this.#pools = pools;
  }

  forward(x: tf.Tensor4D, phase?: Phase): tf.Tensor4D {
    return tf.tidy(() => {
      const start = this.#pools ? maxPool2d(x, { kernelSize: 2, stride: 2, padding: 0 }) : x;
      return this.#convolutions.reduce((map, { forward }) => forward(map, phase), start);
    });
  }

  namedParameters(): Map<string, Parameter> {
    return new Map(this.#convolutions.flatMap(({ parameters }) => [...parameters]));
  }

  dispose(): void {}
}

function checkOptions(options: Required<Pick<VGGOptions, 'channels' | 'outputStages' | 'trainableStages'>>): void {
  const { channels = [], outputStages = [], trainableStages = 0 } = options;
  const count = (n: number): boolean => Number.isInteger(n) && n >= 1;
  const isStage = (n: number): boolean => count(n) && n <= 5;
  const wrong = (place: string, found: unknown, expected: string): RcnnError =>
    new RcnnError('INVALID_ARGUMENT', {
      where: 'VGG',
      place,
      problem: 'not usable',
      found: JSON.stringify(found),
      expected,
    });
  if (channels.length !== 5 || !channels.every(count)) throw wrong('channels', channels, '5 numbers');
  if (outputStages.length === 0 || !outputStages.every(isStage) || new Set(outputStages).size < outputStages.length) {
    throw wrong('outputStages', outputStages, 'different stages from 1 to 5');
  }
  if (!(Number.isInteger(trainableStages) && trainableStages >= 0 && trainableStages <= 5)) {
    throw wrong('trainableStages', trainableStages, '0 to 5');
  }
}
