import '@tensorflow/tfjs-backend-cpu';
import { readFileSync } from 'node:fs';
import { firstInOrderSampler } from '@rcnn/boxes';
import { type ImageSize, type Pyramid, Random, valueAndGradients } from '@rcnn/core';
import { drawn, expectClose, expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { AnchorGenerator, pyramidAnchors, RegionProposalNetwork, RPNHead } from '../src/index.ts';

/** Made by `tools/reference/blocks.py`. */
function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'));
}

interface AnchorAnswers {
  cases: {
    padded: ImageSize;
    grids: ImageSize[];
    count: number;
    first: number[];
    last: number[];
    checksum: number;
  }[];
  several: number[][];
}

const grids = load('anchors') as AnchorAnswers;

describe.each(grids.cases)('anchors of $padded', ({ padded, grids, count, first, last, checksum }) => {
  test('every number', () => {
    const anchors = pyramidAnchors(5)
      .forward(grids, padded)
      .flatMap((level) => [...level]);
    expect(anchors.length).toBe(count * 4);
    expect(anchors.slice(0, 16)).toEqual(first);
    expect(anchors.slice(-16)).toEqual(last);
    expect(anchors.reduce((sum, value, i) => sum + value * ((i % 97) + 1), 0)).toBe(checksum);
  });
});

test('anchors of several sizes and ratios', () => {
  const generator = new AnchorGenerator({
    sizes: [[24, 33, 70], [100]],
    aspectRatios: [
      [0.4, 1.3],
      [0.5, 1, 3],
    ],
  });
  expect(generator.baseAnchors.map((level) => [...level])).toEqual(grids.several);
});

interface RPNAnswers {
  gt: number[][];
  train: number[][];
  test: number[][];
  losses: Record<string, number>;
  gradients: Record<string, number[]>;
  emptyImage: Record<string, number>;
}

describe('a whole RPN on two images of different sizes', () => {
  const answers = load('rpn') as RPNAnswers;
  const channels = 8;
  const padded = [128, 160] as const;
  const sizes = [
    [120, 150],
    [128, 100],
  ] as const;
  const features: Pyramid = [
    [32, 40],
    [16, 20],
    [8, 10],
    [4, 5],
    [2, 3],
  ].map(([h, w], i) => tf.tensor4d(drawn(`feature${i}`, 2 * h! * w! * channels), [2, h!, w!, channels]));
  const network = new RegionProposalNetwork(
    [4, 8, 16, 32, 64].map((stride) => ({ stride, channels })),
    {
      rpnHead: new RPNHead(channels, 3, { convDepth: 2 }),
      rpnPreNmsTopNTrain: 300,
      rpnPreNmsTopNTest: 150,
      rpnPostNmsTopNTrain: 200,
      rpnPostNmsTopNTest: 80,
      rpnSampler: firstInOrderSampler({ batchSize: 64, positiveFraction: 0.5 }),
    },
  );
  const parameters = network.head.namedParameters();
  for (const [name, parameter] of parameters) {
    const factor = name.endsWith('bias') ? 0.05 : name.startsWith('bbox') ? 0.6 : 0.35;
    const values = drawn(name, parameter.size).map((value) => value * factor);
    tf.tidy(() => parameter.assign(tf.tensor(values, [...parameter.shape])));
  }
  const gt = answers.gt.map((boxes) => Float32Array.from(boxes));
  afterAll(() => tf.dispose([...features]));

  test("torchvision's names", () => {
    expect([...network.namedParameters().keys()]).toEqual(
      ['conv.0.0', 'conv.1.0', 'cls_logits', 'bbox_pred'].flatMap((part) => [
        `head.${part}.weight`,
        `head.${part}.bias`,
      ]),
    );
  });

  test.each(['train', 'test'] as const)('the same proposals in the same order to %s', async (use) => {
    const outputs = network.forward(features);
    const proposals = await network.propose(outputs, sizes, padded, use);
    tf.dispose([...outputs.logits, ...outputs.deltas]);
    proposals.forEach(({ boxes, scores }, image) => {
      expectClose(boxes, answers[use][image]!, { absolute: 1e-3, relative: 0 });
      expect([...scores]).toEqual([...scores].sort((a, b) => b - a));
    });
  });

  test('the same losses and gradients', async () => {
    const { loss, gradients, extra } = await valueAndGradients(() => {
      const outputs = network.forward(features, 'train');
      const losses = network.losses(outputs, gt, padded, new Random(0));
      return { loss: tf.add(losses.loss_objectness, losses.loss_rpn_box_reg), extra: { ...losses } };
    }, parameters);
    for (const [name, value] of Object.entries(extra)) expectClose(value, answers.losses[name]!);
    for (const [name, values] of Object.entries(answers.gradients)) {
      expectClose(gradients.get(name)!.dataSync(), values, { absolute: 1e-6, relative: 1e-4 });
    }
    expect([...gradients.keys()]).toEqual([...parameters.keys()]);
    tf.dispose([loss, ...gradients.values(), ...Object.values(extra)]);
  });

  test('no tensor is gained', async () => {
    await expectNoLeak(async () => {
      const outputs = network.forward(features);
      await network.propose(outputs, sizes, padded, 'test');
      tf.dispose({ ...network.losses(outputs, gt, padded) });
      tf.dispose([...outputs.logits, ...outputs.deltas]);
    });
  });

  test('an image without objects is background', () => {
    const outputs = network.forward(features);
    const losses = network.losses(outputs, [gt[0]!, new Float32Array()], padded);
    for (const [name, value] of Object.entries(losses)) expectClose(value as tf.Tensor, answers.emptyImage[name]!);
    tf.dispose([...outputs.logits, ...outputs.deltas, ...Object.values(losses)]);
  });
});
