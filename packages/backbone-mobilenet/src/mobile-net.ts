import {
  type Backbone,
  type BackboneStep,
  BatchNorm,
  type FeatureSpec,
  FrozenBatchNorm,
  forwardThrough,
  type GraphBuilder,
  type GraphValue,
  graphThrough,
  type Layer,
  Module,
  type NormFactory,
  type Phase,
  type Pyramid,
  type Random,
  RcnnError,
  type ToGraph,
} from '@rcnn/core';
import type * as tf from '@tensorflow/tfjs-core';
import { InvertedResidual, NormedConv } from './blocks.ts';
import { type MobileNetName, type MobileNetShape, mobileNetStages, shapeOf } from './variants.ts';

export interface MobileNetOptions {
  /** Default `mobilenet_v3_large`. */
  readonly name?: MobileNetName | undefined;
  /** Factor for all channels, which are rounded to multiples of 8. Default 1. */
  readonly width?: number | undefined;
  /** Which norm follows each convolution; `frozen` and `batch` have the same four vectors in a checkpoint. Default `frozen`. */
  readonly norm?: 'frozen' | 'batch' | NormFactory | undefined;
  /** Of the named norms. Default that of torchvision's classifiers: 1e-5 in V2, 1e-3 in V3. Its detectors have 1e-5. */
  readonly normEpsilon?: number | undefined;
  /**
   * Blocks to hand out, by their place in torchvision's `features`; 0 is the stem, the last one the 1x1 convolution on top.
   * Default the last one of every stride from 4 to 32.
   */
  readonly outputBlocks?: readonly number[] | undefined;
  /** How many of the six stages learn, counted from the top; a stage begins at each stride. Default 6, nothing frozen. */
  readonly trainableStages?: number | undefined;
  /** Draws the first weights. Default the stream of `seedLayers`. */
  readonly random?: Random | undefined;
}

/** One entry of torchvision's `features`. */
interface Step {
  readonly layer: Layer & ToGraph;
  readonly channels: number;
  /** Of its map, and whether it has just grown. */
  readonly stride: number;
  readonly strides: boolean;
}

/**
 * MobileNetV2 and V3 as a backbone. Shapes: images `[N, H, W, 3]`, normalized as its weights ask for; a block of stride
 * `s` gives `[N, ceil(H / s), ceil(W / s), C]`. Parameters carry the names of torchvision's `features`
 * (`13.block.1.0.weight`), as in its detectors; `loadBackbone` reads its classifiers.
 * @see Sandler et al. 2018 (arXiv:1801.04381); Howard et al. 2019 (arXiv:1905.02244)
 */
export class MobileNet extends Module implements Backbone {
  readonly outputs: readonly FeatureSpec[];
  readonly #steps: readonly BackboneStep<Layer & ToGraph>[];

  constructor(options: MobileNetOptions = {}) {
    super();
    const { name = 'mobilenet_v3_large', width = 1, trainableStages = mobileNetStages } = options;
    const steps = stepsOf(shapeOf(name, width), options);
    const { outputBlocks = lastOfEachStride(steps) } = options;
    checkOptions(outputBlocks, trainableStages, steps.length);
    const chosen = outputBlocks.toSorted((a, b) => a - b);
    this.#steps = steps
      .slice(0, chosen.at(-1)! + 1)
      .map(({ layer }, block) => ({ layer, isOutput: chosen.includes(block) }));
    for (const { layer } of steps.slice(this.#steps.length)) layer.dispose();
    for (const [i, { layer }] of this.#steps.entries()) this.register(`${i}`, layer);
    this.outputs = chosen.map((block) => ({ stride: steps[block]!.stride, channels: steps[block]!.channels }));
    const learns = firstThatLearns(steps, trainableStages);
    for (const [i, { layer }] of this.#steps.entries()) {
      for (const parameter of layer.namedParameters().values())
        parameter.trainable = parameter.learnable && i >= learns;
    }
  }

  /** Maps `[N, H, W, 3]` to the chosen blocks, finest first. The caller owns them. */
  forward(images: tf.Tensor4D, phase: Phase = 'predict'): Pyramid {
    return forwardThrough('MobileNet.forward', this.#steps, images, phase);
  }

  /** The chosen blocks, finest first. */
  toGraph(graph: GraphBuilder, image: GraphValue): GraphValue[] {
    return graphThrough(this.#steps, graph, image);
  }
}

function stepsOf(shape: MobileNetShape, { norm = 'frozen', normEpsilon, random }: MobileNetOptions): Step[] {
  const { parts, stemChannels, blocks, lastChannels, activation } = shape;
  const making = { norm: normFactory(norm, normEpsilon ?? shape.epsilon), random };
  let stride = 2;
  const stem = new NormedConv(3, stemChannels, { kernelSize: 3, stride, activation }, making);
  const steps: Step[] = [{ layer: stem, channels: stemChannels, stride, strides: true }];
  for (const block of blocks) {
    stride *= block.stride;
    const layer = new InvertedResidual(block, parts, making);
    steps.push({ layer, channels: block.outChannels, stride, strides: block.stride > 1 });
  }
  const last = new NormedConv(steps.at(-1)!.channels, lastChannels, { kernelSize: 1, activation }, making);
  steps.push({ layer: last, channels: lastChannels, stride, strides: true }); // a stage of its own in torchvision's count
  return steps;
}

function normFactory(choice: NonNullable<MobileNetOptions['norm']>, epsilon: number): NormFactory {
  if (typeof choice === 'function') return choice;
  if (choice === 'frozen') return (channels) => new FrozenBatchNorm(channels, { epsilon });
  if (choice === 'batch') return (channels) => new BatchNorm(channels, { epsilon });
  const expected = "'frozen', 'batch' or a function of the channels";
  throw wrong('norm', choice, expected);
}

function lastOfEachStride(steps: readonly Step[]): number[] {
  return steps.flatMap(({ stride }, i) => (stride >= 4 && steps[i + 1]?.stride !== stride ? [i] : []));
}

/** torchvision's rule: stages begin at the strides; the stem is one, the convolution on top another. */
function firstThatLearns(steps: readonly Step[], stages: number): number {
  const begins = steps.flatMap(({ strides }, i) => (strides ? [i] : []));
  return stages === 0 ? steps.length : begins[begins.length - stages]!;
}

function checkOptions(outputBlocks: readonly number[], trainableStages: number, count: number): void {
  const isBlock = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < count;
  const differ = new Set(outputBlocks).size === outputBlocks.length;
  if (outputBlocks.length === 0 || !outputBlocks.every(isBlock) || !differ) {
    throw wrong('outputBlocks', outputBlocks, `different blocks from 0 to ${count - 1}`);
  }
  if (!(Number.isInteger(trainableStages) && trainableStages >= 0 && trainableStages <= mobileNetStages)) {
    throw wrong('trainableStages', trainableStages, `0 to ${mobileNetStages}`);
  }
}

function wrong(place: string, found: unknown, expected: string): RcnnError {
  const problem = 'not usable';
  return new RcnnError('INVALID_ARGUMENT', {
    where: 'MobileNet',
    place,
    problem,
    found: JSON.stringify(found),
    expected,
  });
}
