import { type Linear, Random, useEngine } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { AdamW, groupParameters, SGD, type TrainingBatch, trainingStep } from '../src/index.ts';
import { ToyModel, toyBatch } from '../src/testing/index.ts';

const LOSSES = ['loss_classifier', 'loss_box_reg', 'loss_mask', 'loss_objectness', 'loss_rpn_box_reg'] as const;
const BAD = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY } as const;

/** What goes wrong in one step. */
interface Fault {
  readonly image?: number;
  readonly weight?: string;
  readonly loss?: string;
  readonly gradient?: string;
  readonly rate?: number;
  readonly value: number;
  /** What the error names. */
  readonly names: RegExp;
}

/** The toy with the five losses of a Mask R-CNN, one of which may break. */
class FiveLosses extends ToyModel {
  fault: Fault | undefined;

  override async losses(...args: Parameters<ToyModel['losses']>): Promise<Record<string, tf.Tensor>> {
    const { loss_square: square } = await super.losses(...args);
    const { fault } = this;
    return tf.tidy(() => {
      const losses: Record<string, tf.Tensor> = {};
      for (const [i, name] of LOSSES.entries()) losses[name] = tf.mul(square!, (i + 1) / 10);
      if (fault?.loss !== undefined) losses[fault.loss] = tf.add(losses[fault.loss]!, fault.value);
      // sqrt at 0: a loss of 0 with an infinite slope; times 0 it is NaN.
      if (fault?.gradient !== undefined) {
        const { value } = this.namedParameters().get(fault.gradient)!;
        const zero = tf.mul(value, Number.isNaN(fault.value) ? 0 : 1);
        const root = tf.sum(
          tf.sqrt(tf.sub(zero, Number.isNaN(fault.value) ? 0 : tf.tensor(value.dataSync(), value.shape))),
        );
        losses['loss_mask'] = tf.add(losses['loss_mask']!, root);
      }
      return losses;
    });
  }
}

const WEIGHTS = ['first.weight', 'first.bias', 'second.weight', 'second.bias'];
const values = Object.entries(BAD);

/** 30 points: 3 of images, 8 of weights, 10 of losses, 6 of gradients, 3 of the rate. */
const POINTS: readonly (readonly [string, Fault])[] = [
  ...([Number.NaN, Infinity, -Infinity] as const).map((value, i): [string, Fault] => [
    `${value} in image ${i % 2}`,
    {
      image: i % 2,
      value,
      names: new RegExp(`from image 0-0-${i % 2}: 1 of 12 values, the first ${value} at index 5`),
    },
  ]),
  ...WEIGHTS.flatMap((weight) =>
    values.map(([text, value]): [string, Fault] => [
      `${text} in ${weight}`,
      { weight, value, names: new RegExp(`from the weight ${weight}: 1 of \\d+ values, the first ${text} at index 0`) },
    ]),
  ),
  ...LOSSES.flatMap((loss) =>
    values.map(([text, value]): [string, Fault] => [
      `${text} in ${loss}`,
      { loss, value, names: new RegExp(`\\(${loss}\\): a loss is not finite.*${loss} ${text}`) },
    ]),
  ),
  ...['first.weight', 'second.weight', 'second.bias'].flatMap((gradient) =>
    values.map(([text, value]): [string, Fault] => [
      `${text} in the gradient of ${gradient}`,
      { gradient, value, names: new RegExp(`\\(gradient of ${gradient}\\): .*found \\d+ of \\d+ values`) },
    ]),
  ),
  ...([Number.NaN, Infinity, -Infinity] as const).map((value): [string, Fault] => [
    `a learning rate of ${value}`,
    { rate: value, value, names: new RegExp(`\\(learning rate\\): .*found ${value}`) },
  ]),
];

test('thirty points', () => expect(POINTS).toHaveLength(30));

describe.each(['onnxruntime', 'cpu'] as const)('on %s the step stops before the update and names', (engine) => {
  let batch: TrainingBatch;
  beforeAll(async () => {
    await useEngine(engine, { task: 'train' });
    batch = toyBatch(0, 0);
  });

  test.each(POINTS)('%s', async (_, fault) => {
    const model = new FiveLosses();
    const parameters = model.namedParameters();
    const optimizer = fault.value > 0 ? new AdamW(parameters) : new SGD(parameters);
    const options = { model, optimizer, groups: groupParameters(parameters) };
    const random = new Random(3);
    await trainingStep(options, [batch], { step: 1, learningRate: 0.01, random }); // a good step: the optimizer has a state
    model.fault = fault;
    if (fault.weight !== undefined) spoil(model, fault.weight, fault.value);
    const before = await bitsOf(model, optimizer);
    const learningRate = fault.rate ?? 0.01;
    const error = await trainingStep(options, [inject(batch, fault)], { step: 2, learningRate, random }).then(
      () => new Error('the step was taken'),
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'NON_FINITE', where: 'training step 2' });
    expect(error.message).toMatch(fault.names);
    expect(await bitsOf(model, optimizer)).toEqual(before);
    optimizer.dispose();
    model.dispose();
  });
});

function inject(batch: TrainingBatch, { image, value }: Fault): TrainingBatch {
  if (image === undefined) return batch;
  const images = batch.images.map((pixels, i) => {
    const data = Float32Array.from(pixels.data);
    if (i === image) data[5] = value;
    return { ...pixels, data };
  });
  return { ...batch, images };
}

function spoil(model: ToyModel, name: string, value: number): void {
  const parameter = model.namedParameters().get(name)! as Linear['weight'];
  const data = Float32Array.from(parameter.value.dataSync());
  data[0] = value;
  const spoilt = tf.tensor(data, [...parameter.shape]);
  parameter.assign(spoilt);
  spoilt.dispose();
}

/** Weights and optimizer, to the bit: NaN is a number like any other here. */
async function bitsOf(model: ToyModel, optimizer: AdamW | SGD): Promise<string[]> {
  const tensors = [...[...model.namedParameters().values()].map(({ value }) => value), ...optimizer.tensors().values()];
  const copies = await Promise.all(tensors.map((tensor) => tensor.data()));
  return copies.map((data) => Buffer.from(Float32Array.from(data).buffer).toString('hex'));
}
