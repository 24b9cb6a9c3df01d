import {
  type Backbone,
  BatchNorm,
  Conv2d,
  ConvNorm,
  type FeatureSpec,
  FrozenBatchNorm,
  Module,
  maxPool2d,
  type Parameter,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
  withoutGradients,
} from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { convolutionsOfDepth, type VGGDepth } from './variants.ts';

export interface VGGOptions {
  /** Default 16, the network of Faster R-CNN's paper. */
  readonly depth?: VGGDepth | undefined;
  /** After every convolution; `frozen` and `batch` read torchvision's `vgg16_bn`. Default `none`. */
  readonly norm?: 'none' | 'frozen' | 'batch' | undefined;
  /** Channels of each stage. Default 64, 128, 256, 512, 512. */
  readonly channels?: readonly number[] | undefined;
  /** Stages to hand out, 1 to 5, each before its pool: stage `i` has stride `2^(i-1)`. Default the fifth, stride 16. */
  readonly outputStages?: readonly number[] | undefined;
  /** How many stages learn, counted from the top: 3 leaves conv1 and conv2 as they are, as the paper does. Default 5. */
  readonly trainableStages?: number | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** 3x3 convolutions of one stage; each ends in a ReLU. */
interface Stage {
  readonly number: number;
  readonly layers: readonly ((x: tf.Tensor4D, phase: Phase) => tf.Tensor4D)[];
  readonly parameters: readonly Parameter[];
}

/**
 * VGG as a backbone: stages of 3x3 convolutions with ReLU, a 2x2 pool between them. Shapes: images `[N, H, W, 3]`,
 * normalized as its weights ask for; stage `i` gives `[N, floor(H / 2^(i-1)), floor(W / 2^(i-1)), Ci]`, rounded down at
 * each pool. Parameters carry torchvision's names (`features.28.weight`), so its classifiers' files load by name.
 * @see Simonyan and Zisserman 2014 (arXiv:1409.1556); Ren et al. 2015, section 3 (arXiv:1506.01497)
 */
export class VGG extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  readonly #stages: readonly Stage[];
  readonly #outputStages: ReadonlySet<number>;
  readonly #folds: ConvNorm[] = [];

  constructor(options: VGGOptions = {}) {
    super();
    const { channels = [64, 128, 256, 512, 512], outputStages = [5], trainableStages = 5 } = options;
    const convolutions = convolutionsOfDepth(options.depth ?? 16);
    checkOptions({ channels, outputStages, trainableStages });
    const last = Math.max(...outputStages);
    this.#outputStages = new Set(outputStages);
    const stages: Stage[] = [];
    let inChannels = 3;
    let place = 0; // in torchvision's `features`, where ReLU, norm and pool count too
    for (let number = 1; number <= last; number++) {
      const outChannels = channels[number - 1]!;
      const layers: Stage['layers'][number][] = [];
      const parameters: Parameter[] = [];
      for (let i = 0; i < convolutions[number - 1]!; i++) {
        const made = this.#convolution(place, inChannels, outChannels, options);
        layers.push(made.forward);
        parameters.push(...made.parameters);
        place += made.places;
        inChannels = outChannels;
      }
      place++; // the pool
      stages.push({ number, layers, parameters });
    }
    this.#stages = stages;
    this.outputs = [...outputStages]
      .sort((a, b) => a - b)
      .map((stage) => ({ stride: 2 ** (stage - 1), channels: channels[stage - 1]! }));
    for (const { number, parameters } of stages) {
      for (const parameter of parameters) parameter.trainable = parameter.learnable && number > 5 - trainableStages;
    }
  }

  /** Maps `[N, H, W, 3]` to the chosen stages, finest first. The caller owns them. */
  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    if (images.shape[3] !== 3) {
      throw new RcnnError('SHAPE_MISMATCH', {
        where: 'VGG.forward',
        problem: 'not a batch of RGB images',
        found: `[${images.shape.join(',')}]`,
        expected: '[N, H, W, 3]',
      });
    }
    // Nothing before the first stage that learns goes on a tape: no gradient will ever pass there.
    const learns = this.#stages.find(({ parameters }) => parameters.some(({ trainable }) => trainable));
    return tf.tidy(() => {
      const maps: tf.Tensor4D[] = [];
      let x = images;
      for (const stage of this.#stages) {
        const input = x;
        const step = (): tf.Tensor4D => runStage(stage, input, phase);
        x = learns === undefined || stage.number < learns.number ? withoutGradients(step) : step();
        if (input !== images && input !== maps.at(-1)) input.dispose(); // a tape keeps what it needs by itself
        if (this.#outputStages.has(stage.number)) maps.push(x);
      }
      return maps;
    });
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
    { norm = 'none', random }: VGGOptions,
  ): { forward: Stage['layers'][number]; parameters: Parameter[]; places: number } {
    const activation = norm === 'none' ? ('relu' as const) : ('linear' as const);
    const conv = new Conv2d(inChannels, outChannels, { kernelSize: 3, activation, random });
    this.register(`features.${place}`, conv);
    if (norm === 'none') {
      return { forward: (x) => conv.forward(x), parameters: [...conv.namedParameters().values()], places: 2 };
    }
    const following = norm === 'batch' ? new BatchNorm(outChannels) : new FrozenBatchNorm(outChannels);
    this.register(`features.${place + 1}`, following);
    const fold = new ConvNorm(conv, following, 'relu');
    this.#folds.push(fold);
    const parameters = [...conv.namedParameters().values(), ...following.namedParameters().values()];
    return { forward: (x, phase) => fold.forward(x, phase), parameters, places: 3 };
  }
}

/** The pool before the stage, and its convolutions. */
function runStage({ number, layers }: Stage, input: tf.Tensor4D, phase: Phase): tf.Tensor4D {
  return tf.tidy(() => {
    const start = number === 1 ? input : maxPool2d(input, { kernelSize: 2, stride: 2, padding: 0 });
    return layers.reduce((x, layer) => layer(x, phase), start);
  });
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
