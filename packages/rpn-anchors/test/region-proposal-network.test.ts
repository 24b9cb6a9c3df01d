import '@tensorflow/tfjs-backend-cpu';
import { BoxCoder } from '@rcnn/boxes';
import { isRcnnError, Random } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { AnchorGenerator, pyramidAnchors, RegionProposalNetwork, selectProposals } from '../src/index.ts';

const rules = { preNmsTopN: 100, postNmsTopN: 100, nmsThreshold: 0.7, scoreThreshold: 0, minSize: 1e-3 };

test('what is no number becomes no proposal', () => {
  const [anchors] = pyramidAnchors(1).forward([[1, 1]], [32, 32]);
  const level = {
    anchors: anchors!,
    logits: Float32Array.of(1, Number.NaN, 3),
    deltas: Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, Number.NaN, 0, 0),
  };
  const { boxes, scores } = selectProposals([level], new BoxCoder(), [32, 32], rules);
  expect([...boxes]).toEqual([0, 0, 23, 11]); // the first anchor, cut at the image
  expect([...scores]).toEqual([Math.fround(1 / (1 + Math.exp(-1)))]);
});

test('weights are drawn as the reference draws them', () => {
  const rpn = new RegionProposalNetwork([{ stride: 16, channels: 64 }], { random: new Random(3) });
  for (const [name, parameter] of rpn.namedParameters()) {
    const values = Array.from(parameter.variable.dataSync());
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    if (name.endsWith('bias')) expect(deviation).toBe(0);
    else expect(Math.abs(deviation - 0.01)).toBeLessThan(0.002);
  }
  rpn.dispose();
});

test.each([
  ['levels of different channels', [8, 16], pyramidAnchors(2)],
  ['another number of anchors per level', [8, 8], new AnchorGenerator({ sizes: [[8], [8, 16]] })],
  ['another number of levels', [8], pyramidAnchors(2)],
])('%s cannot share a head', (_, channels, rpnAnchorGenerator) => {
  const inputs = channels.map((count, i) => ({ stride: 8 * 2 ** i, channels: count }));
  let caught: unknown;
  try {
    expect(new RegionProposalNetwork(inputs, { rpnAnchorGenerator })).toBeUndefined();
  } catch (error) {
    caught = error;
  }
  expect(isRcnnError(caught, 'INVALID_ARGUMENT')).toBe(true);
});

test('outputs of two images need the sizes and boxes of two', async () => {
  const rpn = new RegionProposalNetwork([{ stride: 16, channels: 4 }]);
  const outputs = rpn.forward([tf.zeros([2, 2, 2, 4])]);
  const mismatch = expect.objectContaining({ code: 'SHAPE_MISMATCH' }) as Error;
  await expect(rpn.propose(outputs, [[32, 32]], [32, 32], 'test')).rejects.toThrow(mismatch);
  expect(() => rpn.losses(outputs, [new Float32Array()], [32, 32])).toThrow(mismatch);
  rpn.dispose();
});
